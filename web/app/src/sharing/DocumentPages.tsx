import type { HandedFile } from '@huitong/sdk';
import { ActionIcon, Loader } from '@mantine/core';
import { ChevronLeft, ChevronRight } from 'lucide-react';
import type { PDFDocumentProxy } from 'pdfjs-dist';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { attempt } from '../meeting/controls';
import { useMeeting, useMeetingState } from '../meeting/useMeeting';
import { rest } from '../rest';
import { HEIGHT, WIDTH } from './elements';
import styles from './Shown.module.css';
import { useAudience } from './useAudience';

interface DocumentPagesProps {
  file: HandedFile;
  /** From 1, as the meeting has it. */
  page: number;
  mayTurn: boolean;
}

const TURNS: Partial<Record<string, number>> = { ArrowLeft: -1, PageUp: -1, ArrowRight: 1, PageDown: 1 };

/** 文档 (PDF): every client shows the same page, drawn by itself. */
export function DocumentPages({ file, page: wanted, mayTurn }: DocumentPagesProps) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const id = useMeetingState(state => state.meeting.id);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [pdf, setPdf] = useState<PDFDocumentProxy | null>(null);
  const [shown, setShown] = useState(0);
  const [isBroken, setBroken] = useState(false);
  useAudience(canvas);

  useEffect(() => {
    const gone = new AbortController();
    let close = (): void => undefined;
    const open = async () => {
      const { openPdf } = await import('./pdf');
      if (gone.signal.aborted) return;
      const task = openPdf(rest.file(id, file.id));
      close = () => void task.destroy();
      // One that is given up meanwhile is never opened.
      setPdf(await task.promise);
    };
    open().catch(() => !gone.signal.aborted && setBroken(true));
    return () => {
      gone.abort();
      close();
    };
  }, [id, file.id]);

  const pages = pdf?.numPages ?? 1;
  const page = Math.min(wanted, pages);
  useEffect(() => {
    const surface = canvas.current;
    if (!pdf || !surface) return;
    let cancel = (): void => undefined;
    let isWanted = true;
    const draw = async () => {
      const one = await pdf.getPage(page);
      const whole = one.getViewport({ scale: 1 });
      const viewport = one.getViewport({ scale: Math.min(WIDTH / whole.width, HEIGHT / whole.height) });
      if (!isWanted) return;
      surface.width = Math.round(viewport.width);
      surface.height = Math.round(viewport.height);
      const task = one.render({ canvas: surface, viewport });
      cancel = () => task.cancel();
      await task.promise;
      setShown(page);
    };
    // One that is turned away meanwhile is no failure.
    draw().catch(() => isWanted && setBroken(true));
    return () => {
      isWanted = false;
      cancel();
    };
  }, [pdf, page]);

  const turn = (by: number) => {
    const next = page + by;
    if (mayTurn && next >= 1 && next <= pages) void attempt(() => meeting.turnTo(next));
  };
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    const by = TURNS[event.key];
    const isElsewhere =
      event.target instanceof HTMLElement &&
      event.target.closest('input, textarea, select, [role=menu], [role=dialog]');
    if (by && !isElsewhere) turn(by);
  });
  useEffect(() => {
    const listen = (event: KeyboardEvent) => onKey(event);
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);

  return (
    <>
      <nav className={styles.pages} aria-label={t('share.pages')}>
        {mayTurn && (
          <ActionIcon
            variant="default"
            aria-label={t('meeting.previousPage')}
            disabled={page <= 1}
            onClick={() => turn(-1)}
            data-testid="page-back"
          >
            <ChevronLeft size={18} />
          </ActionIcon>
        )}
        <span data-testid="page-number" aria-live="polite">
          {t('meeting.page', { page, pages: pdf ? pages : '–' })}
        </span>
        {mayTurn && (
          <ActionIcon
            variant="default"
            aria-label={t('meeting.nextPage')}
            disabled={!pdf || page >= pages}
            onClick={() => turn(1)}
            data-testid="page-on"
          >
            <ChevronRight size={18} />
          </ActionIcon>
        )}
      </nav>
      <div className={styles.ground}>
        <canvas
          ref={canvas}
          className={styles.surface}
          role="img"
          aria-label={t('share.pageOf', { name: file.name, page })}
          data-testid="shown-document"
          data-page={shown}
        />
        {!isBroken && shown === 0 && <Loader style={{ position: 'absolute' }} />}
        {isBroken && (
          <p className={styles.message} role="alert">
            {t('share.noDocument', { name: file.name })}
          </p>
        )}
      </div>
    </>
  );
}
