import { Card, Tabs } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { useLocation, useNavigate } from 'react-router';

interface TabbedProps<Tab extends string> {
  /** What there is, in its order; which one is shown stands behind the address's `#`. */
  tabs: readonly { tab: Tab; icon: LucideIcon; label: string }[];
  children: (tab: Tab) => ReactNode;
}

/** Pages of one kind beside each other: a list on the left of a desk, a row on a telephone. */
export function Tabbed<Tab extends string>({ tabs, children }: TabbedProps<Tab>) {
  const navigate = useNavigate();
  const { hash } = useLocation();
  const isNarrow = useMediaQuery('(max-width: 700px)');
  const [first] = tabs;
  if (!first) return null;
  const { tab } = tabs.find(one => `#${one.tab}` === hash) ?? first;
  return (
    <Tabs
      value={tab}
      onChange={value => void navigate(`#${value}`, { replace: true })}
      orientation={isNarrow ? 'horizontal' : 'vertical'}
      keepMounted={false}
      variant="pills"
      styles={{ tabLabel: { textAlign: 'start' } }}
    >
      <Tabs.List
        mr={isNarrow ? 0 : 'lg'}
        mb={isNarrow ? 'md' : 0}
        style={isNarrow ? { flexWrap: 'nowrap', overflowX: 'auto' } : {}}
      >
        {tabs.map(({ tab: one, icon: Icon, label }) => (
          <Tabs.Tab
            key={one}
            value={one}
            px={isNarrow ? 'sm' : 'md'}
            leftSection={!isNarrow && <Icon size={16} />}
            data-testid={`tab-${one}`}
          >
            {label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={tab} style={{ minWidth: 0 }}>
        <Card withBorder radius="lg" padding="lg">
          {children(tab)}
        </Card>
      </Tabs.Panel>
    </Tabs>
  );
}
