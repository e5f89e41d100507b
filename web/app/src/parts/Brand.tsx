import { Group, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

export function Brand() {
  const { t } = useTranslation();
  return (
    <Group gap={10} wrap="nowrap">
      <img src="/favicon.svg" alt="" width={30} height={30} />
      <Text fw={650} fz={19}>
        {t('brand')}
      </Text>
    </Group>
  );
}
