import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { Mic, MicOff, Video, VideoOff } from 'lucide-react';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { LiveVideo } from './LiveVideo';
import { isWorthRetry, useLocalMedia } from './local';
import styles from './Preview.module.css';

interface PreviewProps {
  wanted: Record<Device, boolean>;
  onChoose: (device: Device, on: boolean) => void;
}

type Device = 'microphone' | 'camera';

/** The mirror: one's own picture, with the two switches that matter before coming in. */
export function Preview({ wanted, onChoose }: PreviewProps) {
  const { t } = useTranslation();
  const { microphone, camera, trouble, open } = useLocalMedia();
  useAnotherTry();
  const troubles = (['microphone', 'camera'] as const).flatMap(device => {
    const kind = trouble[device];
    return kind ? [{ device, kind }] : [];
  });
  // Whoever presses a switch that is to be on, but isn't, wants to try again.
  const press = (device: Device, isOpen: boolean) =>
    wanted[device] && !isOpen ? void open(device) : onChoose(device, !wanted[device]);
  // Where the page may not ask, it says so once.
  const isInsecure = troubles.some(({ kind }) => kind === 'insecure');
  return (
    <Stack gap="sm">
      <div className={styles.mirror}>
        {camera ? (
          <LiveVideo track={camera} mirrored testid="preview" />
        ) : (
          <span data-testid="preview-off">
            {trouble.camera
              ? t(`without.${trouble.camera}`, { device: t('devices.camera') })
              : t('prejoin.cameraOff')}
          </span>
        )}
        <div className={styles.switches}>
          <button
            type="button"
            className={styles.switch}
            data-off={!microphone || undefined}
            aria-pressed={microphone !== null}
            aria-label={t('devices.microphone')}
            onClick={() => press('microphone', microphone !== null)}
            data-testid="prejoin-mic"
          >
            {microphone ? <Mic size={22} /> : <MicOff size={22} />}
          </button>
          <button
            type="button"
            className={styles.switch}
            data-off={!camera || undefined}
            aria-pressed={camera !== null}
            aria-label={t('devices.camera')}
            onClick={() => press('camera', camera !== null)}
            data-testid="prejoin-camera"
          >
            {camera ? <Video size={22} /> : <VideoOff size={22} />}
          </button>
        </div>
      </div>
      {isInsecure ? (
        <Alert color="yellow" variant="light">
          {t('trouble.insecure')}
        </Alert>
      ) : (
        troubles.map(({ device, kind }) => (
          <Alert
            key={device}
            color="yellow"
            variant="light"
            data-testid={`trouble-${device}`}
            data-trouble={kind}
          >
            <Group gap="sm" justify="space-between" wrap="nowrap">
              <Text fz="sm">
                {t('trouble.atTheDoor', {
                  what: t(`trouble.${kind}`, { device: t(`devices.${device}`) }),
                  interpolation: { escapeValue: false },
                })}
              </Text>
              {isWorthRetry(kind) && (
                <Button
                  size="compact-sm"
                  variant="default"
                  style={{ flexShrink: 0 }}
                  onClick={() => void open(device)}
                  data-testid={`retry-${device}`}
                >
                  {t('problems.retry')}
                </Button>
              )}
            </Group>
          </Alert>
        ))
      )}
    </Stack>
  );
}

/** Tries again by itself as soon as the browser allows a device, or one is plugged in. */
function useAnotherTry(): void {
  const { trouble, open } = useLocalMedia();
  const { microphone, camera } = trouble;
  useEffect(() => {
    const undo: (() => void)[] = [];
    let isWanted = true;
    for (const [device, kind] of [['microphone', microphone] as const, ['camera', camera] as const]) {
      const again = () => void open(device);
      if (kind === 'missing') {
        navigator.mediaDevices.addEventListener('devicechange', again);
        undo.push(() => navigator.mediaDevices.removeEventListener('devicechange', again));
      }
      if (kind !== 'denied') continue;
      const answered = (status: PermissionStatus) => {
        if (!isWanted) return;
        status.onchange = () => {
          if (status.state === 'granted') again();
        };
        undo.push(() => (status.onchange = null));
      };
      // Browsers that can't be asked about devices leave it at the switch.
      navigator.permissions.query({ name: device }).then(answered, () => undefined);
    }
    return () => {
      isWanted = false;
      for (const one of undo) one();
    };
  }, [microphone, camera, open]);
}
