import type { Account, CallingPolicy, CallingView, Site } from '@huitong/sdk';
import {
  Alert,
  Button,
  Group,
  Loader,
  NumberInput,
  Progress,
  Stack,
  Switch,
  Text,
  Textarea,
  Title,
} from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { problemText } from '../problems';
import { rest } from '../rest';
import styles from './admin.module.css';
import { useAsked } from '../parts/useAsked';

/** What the server takes at most. */
const MOST = 1_000_000;

const calling = (site: string) => rest.calling(site);

/** 电话外呼: what a site may spend on calling telephones, and what it has; the operator sets it (P8). */
export function Calling({ site, account }: { site: Site; account: Account }) {
  const { t } = useTranslation();
  const { found, setFound, problem } = useAsked(site.id, calling);
  if (!found) {
    return problem === null ? (
      <Loader size="sm" mx="auto" display="block" my="xl" />
    ) : (
      <Alert color="red" variant="light" data-testid="calling-problem">
        {problemText(t, problem)}
      </Alert>
    );
  }
  return (
    <Stack gap="xl">
      <Used view={found} />
      <Limits
        policy={found.policy}
        isFixed={account.role !== 'operator'}
        onSave={async policy => setFound(await rest.setCalling(site.id, policy))}
      />
    </Stack>
  );
}

/** Of the last 24 hours. */
function Used({ view: { policy, used } }: { view: CallingView }) {
  const { t, i18n } = useTranslation();
  const say = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 3 });
  const rows = [
    { name: 'calls', used: used.calls, most: policy.calls_max },
    { name: 'minutes', used: used.minutes, most: policy.minutes_per_day },
    { name: 'cost', used: used.cost, most: policy.budget_per_day ?? null },
  ] as const;
  return (
    <section aria-labelledby="calling-used">
      <Title order={2} fz="md" mb="sm" id="calling-used">
        {t('calling.used')}
      </Title>
      <div className={styles.figures}>
        {rows.map(({ name, used, most }) => (
          <div key={name} className={styles.figure} data-testid={`calling-used-${name}`} data-used={used}>
            <Text fz="sm" c="dimmed">
              {t(`calling.used_${name}`)}
            </Text>
            <Text fz="xl" fw={600} lh={1.3}>
              {say.format(used)}
              <Text span fz="sm" c="dimmed" ml={6}>
                {most === null ? t('calling.noLimit') : t('calling.of', { most: say.format(most) })}
              </Text>
            </Text>
            {most !== null && (
              <Progress
                value={Math.min(100, (used / Math.max(most, 1)) * 100)}
                color={used >= most ? 'red' : 'lake'}
                size="sm"
                mt={6}
                aria-label={t(`calling.used_${name}`)}
              />
            )}
          </div>
        ))}
      </div>
    </section>
  );
}

interface LimitsProps {
  policy: CallingPolicy;
  /** One may look, but not set. */
  isFixed: boolean;
  onSave: (policy: CallingPolicy) => Promise<void>;
}

const NUMBERS = ['calls_max', 'minutes_per_day', 'same_number_per_hour'] as const;

function Limits({ policy, isFixed, onSave }: LimitsProps) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState(policy);
  const [prefixes, setPrefixes] = useState(policy.prefixes.join('\n'));
  const [busy, setBusy] = useState(false);
  const [isSaved, setSaved] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const change = (changed: Partial<CallingPolicy>) => {
    setSaved(false);
    setDraft({ ...draft, ...changed });
  };
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setSaved(false);
    setProblem(null);
    try {
      await onSave({ ...draft, prefixes: prefixes.split(/[\s,，;；]+/).filter(Boolean) });
      setSaved(true);
    } catch (thrown) {
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={event => void submit(event)} aria-labelledby="calling-limits">
      <Title order={2} fz="md" mb="sm" id="calling-limits">
        {t('calling.limits')}
      </Title>
      <Stack maw={520}>
        {isFixed && (
          <Text fz="sm" c="dimmed" data-testid="calling-fixed">
            {t('calling.fixed')}
          </Text>
        )}
        <Switch
          label={t('calling.allowed')}
          description={t('calling.allowedHint')}
          checked={draft.allowed}
          disabled={isFixed}
          onChange={event => change({ allowed: event.currentTarget.checked })}
          data-testid="calling-allowed"
        />
        <div className={styles.fields}>
          {NUMBERS.map(name => (
            <NumberInput
              key={name}
              label={t(`calling.${name}`)}
              min={0}
              max={MOST}
              allowDecimal={false}
              thousandSeparator
              disabled={isFixed}
              value={draft[name]}
              onChange={value => change({ [name]: Number(value) || 0 })}
              data-testid={`calling-${name}`}
            />
          ))}
          <NumberInput
            label={t('calling.budget_per_day')}
            placeholder={t('calling.noLimit')}
            min={0}
            max={MOST}
            decimalScale={3}
            thousandSeparator
            disabled={isFixed}
            value={draft.budget_per_day ?? ''}
            onChange={value => change({ budget_per_day: value === '' ? null : Number(value) })}
            data-testid="calling-budget_per_day"
          />
        </div>
        <Textarea
          label={t('calling.prefixes')}
          description={t('calling.prefixesHint')}
          autosize
          minRows={2}
          maxRows={8}
          disabled={isFixed}
          value={prefixes}
          onChange={event => {
            setSaved(false);
            setPrefixes(event.currentTarget.value);
          }}
          data-testid="calling-prefixes"
        />
        {problem !== null && (
          <Alert color="red" variant="light" data-testid="calling-problem">
            {problemText(t, problem)}
          </Alert>
        )}
        {isSaved && (
          <Alert color="teal" variant="light" data-testid="calling-saved">
            {t('profile.saved')}
          </Alert>
        )}
        {!isFixed && (
          <Group justify="flex-end">
            <Button type="submit" loading={busy} data-testid="calling-save">
              {t('meeting.save')}
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  );
}
