import type { Participant, Shown as What } from '@huitong/sdk';
import { Button } from '@mantine/core';
import { FileText, Globe, Image, PenLine, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { attempt } from '../meeting/controls';
import { useManages, useMeeting } from '../meeting/useMeeting';
import { DocumentPages } from './DocumentPages';
import { Picture } from './Picture';
import styles from './Shown.module.css';
import { WebPage } from './WebPage';
import { Whiteboard } from './Whiteboard';

const ICONS = { whiteboard: PenLine, picture: Image, document: FileText, page: Globe } as const;

interface ShownProps {
  participant: Participant;
  what: What;
}

/** What somebody shows besides his screen (C20). */
export function Shown({ participant, what }: ShownProps) {
  const { t } = useTranslation();
  const meeting = useMeeting();
  const manages = useManages();
  const isOwn = participant.id === meeting.you;
  const Icon = ICONS[what.type];
  const thing = t(`share.${what.type}`);
  return (
    <article className={styles.shown} data-testid="shown" data-type={what.type}>
      <Surface what={what} mayDirect={isOwn || manages} />
      <footer className={styles.foot}>
        <span className={styles.whose}>
          <Icon size={15} aria-hidden />
          <bdi>
            {isOwn ? t('share.youShow', { thing }) : t('share.shows', { name: participant.name, thing })}
          </bdi>
        </span>
        {(isOwn || manages) && (
          <Button
            size="compact-sm"
            variant="light"
            color="red"
            leftSection={<X size={15} />}
            onClick={() => void attempt(() => meeting.stopShowing())}
            data-testid="stop-showing"
          >
            {t(isOwn ? 'meeting.stopShare' : 'meeting.stopTheirShare')}
          </Button>
        )}
      </footer>
    </article>
  );
}

function Surface({ what, mayDirect }: { what: What; mayDirect: boolean }) {
  switch (what.type) {
    case 'whiteboard':
      return <Whiteboard />;
    case 'picture':
      return <Picture key={what.file.id} file={what.file} />;
    case 'document':
      return <DocumentPages key={what.file.id} file={what.file} page={what.page} mayTurn={mayDirect} />;
    case 'page':
      return <WebPage key={what.url} url={what.url} name={what.name} />;
  }
}
