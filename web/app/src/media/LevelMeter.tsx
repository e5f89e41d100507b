import { Group, Progress, Text } from '@mantine/core';
import { Mic, MicOff } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useLocalMedia } from './local';
import { useLevel } from './useLevel';

/** Shows that one is heard. */
export function LevelMeter({ track }: { track: MediaStreamTrack | null }) {
  const { t } = useTranslation();
  const level = useLevel(track);
  const trouble = useLocalMedia(state => state.trouble.microphone);
  return (
    <Group gap="sm" wrap="nowrap">
      {track ? <Mic size={18} /> : <MicOff size={18} />}
      <Progress
        flex={1}
        value={level * 100}
        color="teal"
        transitionDuration={80}
        aria-label={t('prejoin.level')}
        data-testid="mic-level"
        data-level={level.toFixed(2)}
      />
      <Text fz="xs" c="dimmed" w={104} ta="right" data-testid="mic-said">
        {track
          ? t(level > 0.15 ? 'prejoin.heard' : 'prejoin.speak')
          : trouble
            ? t(`none.${trouble}`)
            : t('prejoin.off')}
      </Text>
    </Group>
  );
}
