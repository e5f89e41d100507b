import type { HandedFile } from '@huitong/sdk';
import { Loader } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useMeetingState } from '../meeting/useMeeting';
import { rest } from '../rest';
import { HEIGHT, WIDTH } from './elements';
import styles from './Shown.module.css';
import { useAudience } from './useAudience';

/** 照片: as large as a screen can show it. What a file claims to be doesn't matter: what is no picture is not shown. */
export function Picture({ file }: { file: HandedFile }) {
  const { t } = useTranslation();
  const meeting = useMeetingState(state => state.meeting.id);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [state, setState] = useState<'loading' | 'shown' | 'failed'>('loading');
  useAudience(canvas);
  useEffect(() => {
    let isWanted = true;
    const draw = async () => {
      const response = await fetch(rest.file(meeting, file.id));
      if (!response.ok) throw new Error(`${response.status}`);
      const bitmap = await createImageBitmap(await response.blob());
      const surface = canvas.current;
      if (!isWanted || !surface) return bitmap.close();
      const scale = Math.min(1, WIDTH / bitmap.width, HEIGHT / bitmap.height);
      surface.width = Math.max(1, Math.round(bitmap.width * scale));
      surface.height = Math.max(1, Math.round(bitmap.height * scale));
      const context = surface.getContext('2d');
      if (context) context.imageSmoothingQuality = 'high';
      context?.drawImage(bitmap, 0, 0, surface.width, surface.height);
      bitmap.close();
      setState('shown');
    };
    draw().catch(() => isWanted && setState('failed'));
    return () => {
      isWanted = false;
    };
  }, [meeting, file.id]);
  return (
    <div className={styles.ground}>
      <canvas
        ref={canvas}
        className={styles.surface}
        role="img"
        aria-label={file.name}
        hidden={state !== 'shown'}
        data-testid="shown-picture"
        data-state={state}
      />
      {state === 'loading' && <Loader />}
      {state === 'failed' && <p role="alert">{t('share.noPicture', { name: file.name })}</p>}
    </div>
  );
}
