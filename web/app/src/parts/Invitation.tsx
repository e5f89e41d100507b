import { Alert, Box, Button, Group, SegmentedControl, Stack, Tabs, Text, Textarea } from '@mantine/core';
import { CalendarDays, Check, Copy } from 'lucide-react';
import { QRCodeSVG } from 'qrcode.react';
import { type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { mailsIn, phonesIn } from '../addresses';
import { zone } from '../booking/zone';
import { useInfo } from '../info';
import { joinLink } from '../numbers';
import { problemText } from '../problems';
import { rest } from '../rest';
import { useCopy } from './useCopy';
import styles from './Invitation.module.css';

type Tongue = 'zh' | 'en';

/** What others are invited to. */
interface Invited {
  id: string;
  number: string;
  password?: string | null | undefined;
  title: string;
  /** One's seat, where one invites from within the meeting. */
  seat?: string | undefined;
}

/** The ways that send a text, which has a language. */
const WRITTEN: ReadonlySet<string> = new Set(['copy', 'emails', 'sms']);

interface InvitationProps {
  meeting: Invited;
  /** By mail and short message too. */
  maySend?: boolean;
  /** By telephone, where that can be. */
  phone?: ReactNode;
  /** The same for room systems. */
  room?: ReactNode;
}

/** 邀请: a text to be copied, mail, short messages, a calendar file, a code for phones (S7, C22). */
export function Invitation({ meeting, maySend = true, phone, room }: InvitationProps) {
  const { t, i18n } = useTranslation();
  const [tongue, setTongue] = useState<Tongue>(i18n.language === 'en' ? 'en' : 'zh');
  const [way, setWay] = useState('copy');
  const info = useInfo();
  // Until it is known both are offered: the server says what it can't.
  const [hasMail, hasSms] = [info?.mail ?? true, info?.sms ?? true];
  const unsent = hasMail ? (hasSms ? null : 'noSms') : hasSms ? 'noMail' : 'noSending';
  return (
    <Stack gap="sm">
      <Tabs value={way} onChange={value => setWay(value ?? 'copy')} keepMounted={false}>
        <Tabs.List mb="md" grow className={phone ? styles.many : undefined}>
          <Tabs.Tab value="copy">{t('invite.byCopy')}</Tabs.Tab>
          {maySend && hasMail && (
            <Tabs.Tab value="emails" data-testid="invite-by-mail">
              {t('invite.byMail')}
            </Tabs.Tab>
          )}
          {maySend && hasSms && (
            <Tabs.Tab value="sms" data-testid="invite-by-sms">
              {t('invite.bySms')}
            </Tabs.Tab>
          )}
          {phone && (
            <Tabs.Tab value="phone" data-testid="invite-by-phone">
              {t('invite.byPhone')}
            </Tabs.Tab>
          )}
          {room && (
            <Tabs.Tab value="room" data-testid="invite-by-room">
              {t('invite.byRoom')}
            </Tabs.Tab>
          )}
          <Tabs.Tab value="code" data-testid="invite-by-code">
            {t('invite.byCode')}
          </Tabs.Tab>
        </Tabs.List>
        {WRITTEN.has(way) && (
          <SegmentedControl
            size="xs"
            mb="sm"
            value={tongue}
            onChange={value => setTongue(value)}
            data={[
              { value: 'zh', label: '中文' },
              { value: 'en', label: 'English' },
            ]}
            aria-label={t('invite.language')}
            data-testid="invite-language"
          />
        )}
        <Tabs.Panel value="copy">
          <Words meeting={meeting} tongue={tongue} />
          {maySend && unsent && (
            <Text fz="sm" c="dimmed" mt="sm" data-testid="invite-unsent">
              {t(`invite.${unsent}`)}
            </Text>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="emails">
          <Send meeting={meeting} tongue={tongue} by="emails" />
        </Tabs.Panel>
        <Tabs.Panel value="sms">
          <Send meeting={meeting} tongue={tongue} by="sms" />
        </Tabs.Panel>
        <Tabs.Panel value="phone">{phone}</Tabs.Panel>
        <Tabs.Panel value="room">{room}</Tabs.Panel>
        <Tabs.Panel value="code">
          <Code meeting={meeting} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

interface WayProps {
  meeting: Invited;
  tongue: Tongue;
}

function Words({ meeting, tongue }: WayProps) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const { copied, copy } = useCopy();
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    let isCurrent = true;
    rest.invitation(meeting.id, tongue, zone(), meeting.seat).then(found => {
      if (isCurrent) setText(found.trim());
    }, setProblem);
    return () => {
      isCurrent = false;
    };
  }, [meeting.id, meeting.seat, tongue]);
  return (
    <Stack gap="sm">
      {problem !== null && (
        <Alert color="red" variant="light">
          {problemText(t, problem)}
        </Alert>
      )}
      <Textarea
        value={text}
        readOnly
        autosize
        minRows={7}
        maxRows={14}
        aria-label={t('invite.title')}
        data-testid="invite-text"
      />
      <Group grow preventGrowOverflow={false}>
        {!meeting.seat && (
          <Button
            component="a"
            href={rest.calendar(meeting.id)}
            variant="default"
            leftSection={<CalendarDays size={16} />}
            data-testid="invite-calendar"
          >
            {t('invite.calendar')}
          </Button>
        )}
        <Button
          leftSection={copied ? <Check size={16} /> : <Copy size={16} />}
          disabled={!text}
          onClick={() => copy(text)}
          data-testid="invite-copy"
        >
          {copied ? t('invite.copied') : t('invite.copy')}
        </Button>
      </Group>
    </Stack>
  );
}

function Send({ meeting, tongue, by }: WayProps & { by: 'emails' | 'sms' }) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState('');
  const [sent, setSent] = useState<number | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const addresses = by === 'sms' ? phonesIn(typed) : mailsIn(typed);

  const send = async () => {
    setBusy(true);
    setProblem(null);
    setSent(null);
    try {
      setSent(await rest.invite(meeting.id, { [by]: addresses, language: tongue }, meeting.seat));
      setTyped('');
    } catch (thrown) {
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Stack gap="sm">
      <Textarea
        label={t(`invite.${by}`)}
        description={t('invite.several')}
        autosize
        minRows={3}
        maxRows={8}
        value={typed}
        onChange={event => setTyped(event.currentTarget.value)}
        data-testid="invite-addresses"
      />
      {problem !== null && (
        <Alert color="red" variant="light" data-testid="invite-problem">
          {problemText(t, problem)}
        </Alert>
      )}
      {sent !== null && (
        <Alert color="teal" variant="light" data-testid="invite-sent">
          {t('invite.sent', { count: sent })}
        </Alert>
      )}
      <Group justify="flex-end">
        <Button
          loading={busy}
          disabled={addresses.length === 0}
          onClick={() => void send()}
          data-testid="invite-send"
        >
          {t('invite.send')}
        </Button>
      </Group>
    </Stack>
  );
}

function Code({ meeting }: { meeting: Invited }) {
  const { t } = useTranslation();
  const link = joinLink(useInfo(), meeting.number, meeting.password);
  return (
    <Stack align="center" gap="sm" data-testid="invite-code">
      {/* Cameras want dark on light, whatever the page's colours. */}
      <Box p="md" bg="#fff" style={{ borderRadius: 12, lineHeight: 0 }}>
        <QRCodeSVG value={link} size={208} title={t('invite.codeFor', { title: meeting.title })} />
      </Box>
      <Text fz="sm" c="dimmed" ta="center">
        {t('invite.scan')}
      </Text>
    </Stack>
  );
}
