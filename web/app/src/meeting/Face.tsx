import { Phone } from 'lucide-react';
import { type CSSProperties, useState } from 'react';
import { initials } from '../names';
import { rest } from '../rest';
import styles from './Face.module.css';
import { hueOf } from './people';

interface FaceProps {
  /** Of whom: each has a colour of his own. */
  id: string;
  name: string;
  avatar?: string | null | undefined;
  isPhone?: boolean;
  className?: string | undefined;
}

/** What stands for somebody who isn't seen: his picture, else initials, or a telephone. */
export function Face({ id, name, avatar, isPhone = false, className = '' }: FaceProps) {
  // One that can't be fetched leaves the initials.
  const [failed, setFailed] = useState<string | null>(null);
  return (
    <span
      className={`${styles.face} ${className}`}
      style={{ '--hue': hueOf(id) } as CSSProperties}
      aria-hidden
      data-testid="face"
    >
      {avatar && avatar !== failed ? (
        <img src={rest.avatar(avatar)} alt="" draggable={false} onError={() => setFailed(avatar)} />
      ) : isPhone ? (
        <Phone className={styles.phone} />
      ) : (
        initials(name)
      )}
    </span>
  );
}
