import { Button, Group, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rest } from '../rest';

/** What a host keys on a telephone to be one: shown to himself alone, drawn anew when he likes. P4. */
export function PhonePin() {
  const { t } = useTranslation();
  const [pin, setPin] = useState<string | null>();
  useEffect(() => {
    rest.phonePin().then(setPin, () => setPin(null));
  }, []);
  const draw = () => {
    rest.drawPhonePin().then(setPin, () => setPin(null));
  };
  return (
    <Group justify="space-between" wrap="nowrap">
      <div>
        <Text size="sm" fw={500}>
          {t('profile.phonePin')}
        </Text>
        <Text size="xs" c="dimmed">
          {t('profile.phonePinHint')}
        </Text>
      </div>
      <Group gap="sm" wrap="nowrap">
        {pin && (
          <Text ff="monospace" data-testid="phone-pin">
            {pin}
          </Text>
        )}
        <Button variant="default" size="xs" onClick={draw} data-testid="phone-pin-draw">
          {t(pin ? 'profile.phonePinAnew' : 'profile.phonePinDraw')}
        </Button>
      </Group>
    </Group>
  );
}
