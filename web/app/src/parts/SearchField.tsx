import { TextInput, type TextInputProps } from '@mantine/core';
import { Search } from 'lucide-react';

interface SearchFieldProps extends Omit<TextInputProps, 'onChange' | 'value' | 'leftSection'> {
  /** What is searched for, and in what: its name and its placeholder. */
  label: string;
  value: string;
  onChange: (value: string) => void;
  testid: string;
}

/** A field that narrows a list down. */
export function SearchField({ label, value, onChange, testid, ...props }: SearchFieldProps) {
  return (
    <TextInput
      {...props}
      type="search"
      leftSection={<Search size={props.size === 'xs' ? 14 : 15} />}
      placeholder={label}
      aria-label={label}
      value={value}
      onChange={event => onChange(event.currentTarget.value)}
      data-testid={testid}
    />
  );
}
