import { ActionIcon, Group, NativeSelect, Stack, Switch, Tooltip } from '@mantine/core';
import { Volume2 } from 'lucide-react';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { useSettings } from '../settings';
import { canBlur, canDenoise, isInsecure, useLocalMedia } from './local';
import { playTestTone } from './testTone';

const KINDS = { camera: 'videoinput', microphone: 'audioinput', speaker: 'audiooutput' } as const;

/** Which camera, microphone and loudspeaker; each list only where there is a choice. */
export function DeviceChoice({ onOpened }: { onOpened?: (capture: 'microphone' | 'camera') => void }) {
  const { t } = useTranslation();
  const settings = useSettings();
  const { devices, has, open, listDevices, microphone, camera } = useLocalMedia();

  useEffect(() => {
    if (isInsecure()) return;
    const list = () => void listDevices();
    list();
    navigator.mediaDevices.addEventListener('devicechange', list);
    return () => navigator.mediaDevices.removeEventListener('devicechange', list);
  }, [listDevices]);

  const choose = async (kind: keyof typeof KINDS, id: string) => {
    settings.remember({ [kind]: id });
    if (kind === 'speaker' || !{ microphone, camera }[kind]) return;
    await open(kind);
    onOpened?.(kind);
  };

  const improve = async (what: 'blur' | 'denoise', isWanted: boolean) => {
    const kind = what === 'blur' ? 'camera' : 'microphone';
    settings.remember({ [what]: isWanted });
    if (!{ microphone, camera }[kind]) return;
    await open(kind);
    onOpened?.(kind);
  };

  return (
    <Stack gap="sm">
      {(Object.keys(KINDS) as (keyof typeof KINDS)[]).map(kind => {
        const own = devices.filter(device => device.kind === KINDS[kind]);
        if (own.length === 0) return null;
        const known = own.some(({ deviceId }) => deviceId === settings[kind]);
        return (
          <Group key={kind} align="flex-end" gap="xs" wrap="nowrap">
            <NativeSelect
              flex={1}
              label={t(`devices.${kind}`)}
              value={known ? settings[kind] : (own[0]?.deviceId ?? '')}
              onChange={event => void choose(kind, event.currentTarget.value)}
              data={own.map(({ deviceId, label }) => ({ value: deviceId, label }))}
              data-testid={`device-${kind}`}
            />
            {kind === 'speaker' && (
              <Tooltip label={t('devices.test')}>
                <ActionIcon
                  variant="default"
                  size={36}
                  aria-label={t('devices.test')}
                  onClick={() => void playTestTone(settings.speaker)}
                >
                  <Volume2 size={17} />
                </ActionIcon>
              </Tooltip>
            )}
          </Group>
        );
      })}
      {has.camera && canBlur() && (
        <Switch
          label={t('devices.blur')}
          checked={settings.blur}
          onChange={event => void improve('blur', event.currentTarget.checked)}
          data-testid="device-blur"
        />
      )}
      {has.microphone && canDenoise() && (
        <Switch
          label={t('devices.denoise')}
          checked={settings.denoise}
          onChange={event => void improve('denoise', event.currentTarget.checked)}
          data-testid="device-denoise"
        />
      )}
    </Stack>
  );
}
