import { VisuallyHidden } from '@mantine/core';
import { type ButtonHTMLAttributes, type ReactNode, forwardRef } from 'react';
import styles from './Bar.module.css';

interface BarButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: ReactNode;
  label: string;
  /** A small number on the icon. */
  count?: number;
  /** What the number means, for whoever listens. */
  spoken?: string;
  /** The number wants to be looked at. */
  alarming?: boolean;
  tone?: 'off' | 'on' | 'danger' | undefined;
}

/** An icon with its word below; on a phone the icon alone. */
export const BarButton = forwardRef<HTMLButtonElement, BarButtonProps>(function BarButton(
  { icon, label, count, spoken, alarming, tone, className = '', ...rest },
  ref,
) {
  return (
    <button
      ref={ref}
      type="button"
      className={`${styles.button} ${className}`}
      data-tone={tone}
      title={label}
      {...rest}
    >
      <span className={styles.icon}>
        {icon}
        {count !== undefined && (
          <span className={styles.count} aria-hidden data-alarming={alarming || undefined}>
            {count}
          </span>
        )}
      </span>
      <span className={styles.label}>{label}</span>
      {spoken !== undefined && <VisuallyHidden>{spoken}</VisuallyHidden>}
    </button>
  );
});
