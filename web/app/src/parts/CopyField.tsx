import { ActionIcon, TextInput, type TextInputProps } from '@mantine/core';
import { Check, Copy } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useCopy } from './useCopy';

interface CopyFieldProps extends Omit<TextInputProps, 'value' | 'rightSection' | 'readOnly'> {
  value: string;
  'data-testid'?: string;
}

/** What is to be pasted elsewhere. */
export function CopyField({ value, ...field }: CopyFieldProps) {
  const { t } = useTranslation();
  const { copied, copy } = useCopy();
  return (
    <TextInput
      {...field}
      readOnly
      value={value}
      onFocus={event => event.currentTarget.select()}
      rightSection={
        <ActionIcon
          variant="subtle"
          color={copied ? 'teal' : 'gray'}
          onClick={() => copy(value)}
          aria-label={t(copied ? 'audience.copied' : 'audience.copy')}
        >
          {copied ? <Check size={16} /> : <Copy size={16} />}
        </ActionIcon>
      }
    />
  );
}
