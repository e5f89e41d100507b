import { TextInput, type TextInputProps } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { CopyButton } from './CopyButton';

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
      rightSection={<CopyButton text={value} label={t('copying.copy')} />}
    />
  );
}
