import { ActionIcon, Button, type ButtonProps, FileButton } from '@mantine/core';
import { type ReactNode, useRef } from 'react';

interface ChooseFileProps extends Pick<ButtonProps, 'variant' | 'size'> {
  /** Kinds, as the `accept` of a field for files. */
  accept?: string;
  onFile: (file: File) => void;
  disabled?: boolean;
  /** On its way. */
  busy?: boolean;
  /** An icon alone, which this says in words. */
  label?: string;
  /** Looks like this instead of like a button. */
  className?: string | undefined;
  children: ReactNode;
  testid: string;
}

/** Chooses one file: the one such button there is. The same file can be chosen again. */
export function ChooseFile(props: ChooseFileProps) {
  const { accept = '', onFile, disabled = false, busy = false, label, className, children, testid } = props;
  const { variant = 'default', size = 'sm' } = props;
  const forget = useRef<() => void>(null);
  const chosen = (file: File | null) => {
    forget.current?.();
    if (file) onFile(file);
  };
  return (
    <FileButton accept={accept} onChange={chosen} disabled={disabled} resetRef={forget}>
      {({ onClick }) => {
        const common = { onClick, 'data-testid': testid };
        if (className !== undefined) {
          return (
            <button type="button" className={className} disabled={disabled} {...common}>
              {children}
            </button>
          );
        }
        return label === undefined ? (
          <Button variant={variant} size={size} disabled={disabled} loading={busy} {...common}>
            {children}
          </Button>
        ) : (
          <ActionIcon
            variant="subtle"
            color="gray"
            size={36}
            aria-label={label}
            disabled={disabled}
            loading={busy}
            {...common}
          >
            {children}
          </ActionIcon>
        );
      }}
    </FileButton>
  );
}
