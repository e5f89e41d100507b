import { ActionIcon, CopyButton, TextInput, type TextInputProps } from '@mantine/core';
import { Check, Copy } from 'lucide-react';
import { useTranslation } from 'react-i18next';

interface CopyFieldProps extends Omit<TextInputProps, 'value' | 'rightSection' | 'readOnly'> {
  value: string;
  'data-testid'?: string;
}

/** What is to be pasted elsewhere. */
export function CopyField({ value, ...field }: CopyFieldProps) {
  const { t } = useTranslation();
  return (
    <TextInput
      {...field}
      readOnly
      value={value}
      onFocus={event => event.currentTarget.select()}
      rightSection={
        <CopyButton value={value}>
          {({ copied, copy }) => (
            <ActionIcon
              variant="subtle"
              color={copied ? 'teal' : 'gray'}
              onClick={copy}
              aria-label={t(copied ? 'audience.copied' : 'audience.copy')}
            >
              {copied ? <Check size={16} /> : <Copy size={16} />}
            </ActionIcon>
          )}
        </CopyButton>
      }
    />
  );
}
