import { ActionIcon, Tooltip } from '@mantine/core';
import { Check, Copy } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useCopy } from './useCopy';

interface CopyButtonProps {
  text: string;
  /** What the button is called. */
  label: string;
  className?: string | undefined;
  testid?: string;
}

/** Copies, and for a while shows and says so. */
export function CopyButton({ text, label, className, testid }: CopyButtonProps) {
  const { t } = useTranslation();
  const { copied, copy } = useCopy();
  const said = copied ? t('copying.copied') : label;
  return (
    <Tooltip label={said}>
      <ActionIcon
        variant="subtle"
        color={copied ? 'teal' : 'gray'}
        aria-label={said}
        className={className}
        onClick={() => copy(text)}
        data-testid={testid}
      >
        {copied ? <Check size={16} /> : <Copy size={16} />}
      </ActionIcon>
    </Tooltip>
  );
}
