import { Button, Group, Text } from '@mantine/core';
import { ExternalLink, Globe, Monitor } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { hostOf } from '../addresses';
import { HEIGHT, WIDTH } from './elements';
import styles from './Shown.module.css';
import { useAudience } from './useAudience';

interface WebPageProps {
  url: string;
  name: string | null;
}

/**
 * 网页: a card; the page itself is fetched by whoever wants to see it, in a frame that can touch nothing of ours. Many
 * sites let themselves not be framed: they are opened beside.
 */
export function WebPage({ url, name }: WebPageProps) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const host = hostOf(url);
  const canFrame = url.toLowerCase().startsWith('https:') || location.protocol === 'http:';
  return (
    <div className={styles.ground}>
      <Card title={name ?? host} url={url} />
      {isOpen ? (
        <iframe
          className={styles.frame}
          src={url}
          title={name ?? host}
          sandbox="allow-scripts allow-forms allow-popups"
          referrerPolicy="no-referrer"
          allow=""
          data-testid="shown-frame"
        />
      ) : (
        <div className={styles.card} data-testid="shown-page">
          <Globe size={34} aria-hidden />
          <Text fw={600} fz="lg" component="h2">
            {name ?? host}
          </Text>
          <Text fz="sm" c="dimmed">
            {url}
          </Text>
          <Group justify="center" gap="sm">
            <Button
              component="a"
              href={url}
              target="_blank"
              rel="noopener noreferrer"
              leftSection={<ExternalLink size={16} />}
              data-testid="shown-open"
            >
              {t('share.open')}
            </Button>
            {canFrame && (
              <Button
                variant="default"
                leftSection={<Monitor size={16} />}
                onClick={() => setOpen(true)}
                data-testid="shown-here"
              >
                {t('share.here')}
              </Button>
            )}
          </Group>
        </div>
      )}
    </div>
  );
}

/** What the livestream's audience sees of it: a frame's content can't be painted. */
function Card({ title, url }: { title: string; url: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useAudience(canvas);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, WIDTH, HEIGHT);
    context.textAlign = 'center';
    context.fillStyle = '#1b2327';
    context.font = '600 72px system-ui, sans-serif';
    context.fillText(title, WIDTH / 2, HEIGHT / 2 - 30, WIDTH - 200);
    context.fillStyle = '#5d6a70';
    context.font = '40px system-ui, sans-serif';
    context.fillText(url, WIDTH / 2, HEIGHT / 2 + 60, WIDTH - 200);
  }, [title, url]);
  return <canvas ref={canvas} className={styles.unseen} width={WIDTH} height={HEIGHT} aria-hidden />;
}
