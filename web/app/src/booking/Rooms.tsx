import { Badge, Group, Loader, Radio, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Retry } from '../parts/Retry';
import { Written } from '../parts/Written';
import type { KnownCapacity } from './useCapacity';

interface RoomsProps {
  known: KnownCapacity;
  value: string;
  onChange: (room: string) => void;
  disabled?: boolean;
}

/** 方数: the site's rooms, each 可用 or 不可用 at the chosen time. */
export function Rooms({ known, value, onChange, disabled }: RoomsProps) {
  const { t } = useTranslation();
  const { capacity, problem, retry } = known;
  return (
    <Radio.Group label={t('book.room')} value={value} onChange={onChange}>
      {problem !== null && <Retry problem={problem} onRetry={retry} />}
      {!capacity && problem === null && <Loader size="sm" mt={6} display="block" />}
      {capacity?.rooms.length === 0 && (
        <Text c="dimmed" fz="sm" mt={6} data-testid="no-rooms">
          {t('book.noRooms')}
        </Text>
      )}
      <Stack gap={6} mt={6}>
        {capacity?.rooms.map(({ id, name, capacity: places, free }) => (
          <Radio.Card
            key={id}
            value={id}
            p="xs"
            radius="md"
            disabled={disabled || (!free && id !== value)}
            style={{ opacity: free || id === value ? 1 : 0.65 }}
            data-testid="room-choice"
            data-name={name}
            data-free={free}
          >
            <Group wrap="nowrap" gap="sm">
              <Radio.Indicator />
              <Text fz="sm" flex={1} truncate>
                <Written text={name} />
              </Text>
              <Text fz="sm" c="dimmed">
                {t('book.places', { count: places })}
              </Text>
              <Badge variant="light" color={free ? 'teal' : 'gray'}>
                {free ? t('book.free') : t('book.taken')}
              </Badge>
            </Group>
          </Radio.Card>
        ))}
      </Stack>
    </Radio.Group>
  );
}
