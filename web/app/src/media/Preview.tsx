import { Alert, Stack } from '@mantine/core';
import { Mic, MicOff, Video, VideoOff } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useSettings } from '../settings';
import { LiveVideo } from './LiveVideo';
import { useLocalMedia } from './local';
import styles from './Preview.module.css';

/** The mirror: one's own picture, with the two switches that matter before coming in. */
export function Preview() {
  const { t } = useTranslation();
  const { microphoneOn, cameraOn, remember } = useSettings();
  const { microphone, camera, trouble } = useLocalMedia();
  const troubles = (['microphone', 'camera'] as const).flatMap(device => {
    const kind = trouble[device];
    return kind ? [{ device, kind }] : [];
  });
  // Where the page may not ask, it says so once.
  const isInsecure = troubles.some(({ kind }) => kind === 'insecure');
  return (
    <Stack gap="sm">
      <div className={styles.mirror}>
        {camera ? (
          <LiveVideo track={camera} mirrored testid="preview" />
        ) : (
          <span>{t('prejoin.cameraOff')}</span>
        )}
        <div className={styles.switches}>
          <button
            type="button"
            className={styles.switch}
            data-off={!microphone || undefined}
            aria-pressed={microphone !== null}
            aria-label={t('devices.microphone')}
            onClick={() => remember({ microphoneOn: !microphoneOn })}
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
            onClick={() => remember({ cameraOn: !cameraOn })}
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
            {t(`trouble.${kind}`, { device: t(`devices.${device}`) })}
          </Alert>
        ))
      )}
    </Stack>
  );
}
