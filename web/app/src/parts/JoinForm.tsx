import type { Door } from '@huitong/sdk';
import { Alert, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { type SubmitEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAccount } from '../account';
import { embedded } from '../embed/mode';
import { digitsOf, inThrees, isComplete, passwordOf } from '../numbers';
import { problemText } from '../problems';
import { rest } from '../rest';
import { useSettings } from '../settings';

/** What it takes to come in. */
export interface Entry {
  door: Door;
  name: string;
  password: string | undefined;
}

interface JoinFormProps {
  number?: string;
  /** A password that came with the link. */
  known?: string | undefined;
  onEntry: (entry: Entry) => void;
}

/** Meeting ID, name, and the password where there is one. */
export function JoinForm({ number, known, onEntry }: JoinFormProps) {
  const { t } = useTranslation();
  const account = useAccount(state => state.account);
  const remembered = useSettings(state => state.name);
  const remember = useSettings(state => state.remember);
  const [digits, setDigits] = useState(number ?? '');
  const [typedName, setTypedName] = useState<string | null>(null);
  const [password, setPassword] = useState(known ?? '');
  const [busy, setBusy] = useState(false);
  const { door, problem, setProblem, find } = useDoor(digits);
  const name = typedName ?? (embedded.name || null) ?? account?.display_name ?? remembered;

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const found = door ?? (await find());
      // The field has just come up for whoever was quicker than its question; the owner needs none.
      if (found.needs_password && !door && !password && !account) return;
      remember({ name: name.trim() });
      onEntry({ door: found, name: name.trim(), password: password.trim() || undefined });
    } catch (thrown) {
      setProblem(thrown);
    } finally {
      setBusy(false);
    }
  };

  return (
    <form onSubmit={event => void submit(event)}>
      <Stack>
        <TextInput
          label={t('join.number')}
          placeholder="123 456 789"
          inputMode="numeric"
          autoComplete="off"
          required
          withAsterisk={false}
          value={inThrees(digits)}
          onChange={event => {
            const typed = event.currentTarget.value;
            setDigits(digitsOf(typed));
            // A pasted link brings its password.
            setPassword(now => passwordOf(/#.*/.exec(typed)?.[0] ?? '') ?? now);
          }}
          data-testid="join-number"
        />
        {door && (
          <Text fz="sm" c="dimmed" mt={-8} data-testid="join-title">
            <bdi>{door.title}</bdi>
          </Text>
        )}
        <TextInput
          label={t('join.name')}
          placeholder={t('join.nameHint')}
          autoComplete="name"
          maxLength={40}
          required
          withAsterisk={false}
          value={name}
          onChange={event => setTypedName(event.currentTarget.value)}
          data-testid="join-name"
        />
        {door?.needs_password && (
          <PasswordInput
            label={t('join.password')}
            description={account ? t('join.passwordOwner') : undefined}
            inputMode="numeric"
            autoComplete="off"
            required={!account}
            withAsterisk={false}
            value={password}
            onChange={event => setPassword(event.currentTarget.value)}
            data-testid="join-password"
          />
        )}
        {problem !== null && (
          <Alert color="red" variant="light" data-testid="join-problem">
            {problemText(t, problem)}
          </Alert>
        )}
        <Button
          type="submit"
          loading={busy}
          disabled={!isComplete(digits) || !name.trim()}
          data-testid="join-submit"
        >
          {t('join.submit')}
        </Button>
      </Stack>
    </form>
  );
}

/** Looks a number up as soon as it is complete. */
function useDoor(digits: string) {
  const [door, setDoor] = useState<Door | null>(null);
  const [problem, setProblem] = useState<unknown>(null);

  const find = async (): Promise<Door> => {
    const found = await rest.meetingByNumber(digits);
    setDoor(found);
    return found;
  };

  useEffect(() => {
    let current = true;
    if (isComplete(digits)) {
      rest.meetingByNumber(digits).then(
        found => {
          if (current) setDoor(found);
        },
        (thrown: unknown) => {
          if (current) setProblem(thrown);
        },
      );
    }
    return () => {
      current = false;
      setDoor(null);
      setProblem(null);
    };
  }, [digits]);

  return { door, problem, setProblem, find };
}
