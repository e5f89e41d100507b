import {
  ALargeSmall,
  Circle,
  Download,
  Eraser,
  type LucideIcon,
  Minus,
  PenLine,
  Redo2,
  Square,
  Trash2,
  Undo2,
} from 'lucide-react';
import {
  type MouseEvent,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import { useTranslation } from 'react-i18next';
import { useMeeting } from '../meeting/useMeeting';
import { Confirm } from '../parts/Confirm';
import { Board } from './board';
import {
  COLOURS,
  type Colour,
  type Element,
  HEIGHT,
  type Kind,
  SIZES,
  type Size,
  TEXT_MAX,
  WIDTH,
  drawElement,
  touches,
} from './elements';
import styles from './Shown.module.css';
import { useAudience } from './useAudience';

type Tool = Kind | 'eraser';
const TOOLS: [Tool, LucideIcon][] = [
  ['pen', PenLine],
  ['line', Minus],
  ['rectangle', Square],
  ['ellipse', Circle],
  ['text', ALargeSmall],
  ['eraser', Eraser],
];

/** What is being drawn and isn't on the board yet. */
type Draft = Omit<Element, 'id' | 'order'>;

/** 白板: everybody draws, and it is kept with the meeting. */
export function Whiteboard() {
  const meeting = useMeeting();
  const [board] = useState(() => new Board(meeting));
  useEffect(() => board.open(), [board]);
  return <Drawing board={board} />;
}

function Drawing({ board }: { board: Board }) {
  const { t } = useTranslation();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { elements, state } = useSyncExternalStore(board.subscribe, board.view);
  const [tool, setTool] = useState<Tool>('pen');
  const [colour, setColour] = useState<Colour>('black');
  const [size, setSize] = useState<Size>('medium');
  const [draft, setDraft] = useState<Draft | null>(null);
  const [typing, setTyping] = useState<Place | null>(null);
  const [isClearing, setClearing] = useState(false);
  useAudience(canvas);

  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      const context = canvas.current?.getContext('2d');
      if (!context) return;
      context.fillStyle = '#fff';
      context.fillRect(0, 0, WIDTH, HEIGHT);
      for (const element of elements) drawElement(context, element);
      if (draft) drawElement(context, { ...draft, id: '', order: 0 });
    });
    return () => cancelAnimationFrame(frame);
  }, [elements, draft]);

  return (
    <>
      <div className={styles.tools} role="toolbar" aria-label={t('share.tools')}>
        <Choice
          label={t('share.tool')}
          options={TOOLS.map(([name, Icon]) => ({
            name,
            label: t(`share.${name}`),
            icon: <Icon size={18} />,
          }))}
          chosen={tool}
          onChoose={setTool}
        />
        <Choice
          label={t('share.colour')}
          options={(Object.keys(COLOURS) as Colour[]).map(name => ({
            name,
            label: t(`share.${name}`),
            icon: <span className={styles.ink} style={{ background: COLOURS[name] }} />,
          }))}
          chosen={colour}
          onChoose={setColour}
        />
        <Choice
          label={t('share.size')}
          options={(Object.keys(SIZES) as Size[]).map((name, at) => ({
            name,
            label: t(`share.${name}`),
            icon: <span className={styles.dot} style={{ width: 5 + 5 * at, height: 5 + 5 * at }} />,
          }))}
          chosen={size}
          onChoose={setSize}
        />
        <div className={styles.group}>
          <Action label={t('share.undo')} icon={Undo2} onClick={() => board.undo()} testid="board-undo" />
          <Action label={t('share.redo')} icon={Redo2} onClick={() => board.redo()} testid="board-redo" />
          <Action
            label={t('share.clear')}
            icon={Trash2}
            isDisabled={elements.length === 0}
            onClick={() => setClearing(true)}
            testid="board-clear"
          />
          <Action
            label={t('share.save')}
            icon={Download}
            onClick={() => save(canvas.current, t('share.whiteboard'))}
            testid="board-save"
          />
        </div>
      </div>
      <div className={styles.ground}>
        <canvas
          ref={canvas}
          className={`${styles.surface} ${styles.board}`}
          width={WIDTH}
          height={HEIGHT}
          role="img"
          aria-label={t('share.board', { count: elements.length })}
          data-testid="whiteboard"
          data-elements={elements.length}
          data-state={state}
          {...pointing({ board, tool, colour, size, draft, setDraft, setTyping })}
        />
        {typing && (
          <Typing
            at={typing}
            size={size}
            onDone={text => {
              setTyping(null);
              if (!text) return;
              board.begin();
              board.add({ kind: 'text', colour, size, points: [typing.x, typing.y], text });
            }}
          />
        )}
        {state === 'loading' && (
          <p className={styles.message} role="status">
            {t('share.loading')}
          </p>
        )}
        {state === 'failed' && (
          <p className={styles.message} role="alert">
            {t('share.noBoard')}
          </p>
        )}
      </div>
      <Confirm
        opened={isClearing}
        title={t('share.clear')}
        action={t('share.clearDo')}
        onConfirm={() => board.clear()}
        onClose={() => setClearing(false)}
      >
        {t('share.clearSure')}
      </Confirm>
    </>
  );
}

interface Pointing {
  board: Board;
  tool: Tool;
  colour: Colour;
  size: Size;
  draft: Draft | null;
  setDraft: (draft: Draft | null) => void;
  setTyping: (at: Place | null) => void;
}

function pointing({ board, tool, colour, size, draft, setDraft, setTyping }: Pointing) {
  const at = (event: PointerEvent<HTMLCanvasElement>): [number, number] => {
    const box = event.currentTarget.getBoundingClientRect();
    return [
      Math.round(((event.clientX - box.left) / box.width) * WIDTH),
      Math.round(((event.clientY - box.top) / box.height) * HEIGHT),
    ];
  };
  const erase = (x: number, y: number) => {
    const touched = board.elements.findLast(element => touches(element, x, y));
    if (!touched) return;
    board.begin();
    board.erase(touched.id);
  };
  return {
    // The press would take the focus from the field that has just come.
    onMouseDown: (event: MouseEvent) => {
      if (tool === 'text') event.preventDefault();
    },
    onPointerDown: (event: PointerEvent<HTMLCanvasElement>) => {
      if (event.button !== 0) return;
      const [x, y] = at(event);
      if (tool === 'text') {
        const { clientWidth, offsetLeft, offsetTop } = event.currentTarget;
        const scale = clientWidth / WIDTH;
        return setTyping({ x, y, left: offsetLeft + x * scale, top: offsetTop + y * scale, scale });
      }
      event.currentTarget.setPointerCapture(event.pointerId);
      if (tool === 'eraser') return erase(x, y);
      if (tool !== 'pen') return setDraft({ kind: tool, colour, size, points: [x, y, x, y], text: '' });
      board.putPenDown({ kind: 'pen', colour, size, points: [x, y], text: '' });
    },
    onPointerMove: (event: PointerEvent<HTMLCanvasElement>) => {
      if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
      const [x, y] = at(event);
      if (tool === 'eraser') return erase(x, y);
      if (draft) return setDraft({ ...draft, points: [...draft.points.slice(0, 2), x, y] });
      board.movePen(x, y);
    },
    onPointerUp: () => {
      board.takePenUp();
      if (!draft) return;
      const [x = 0, y = 0, endX = 0, endY = 0] = draft.points;
      setDraft(null);
      // A click that was none of a line.
      if (Math.hypot(endX - x, endY - y) < 4) return;
      board.begin();
      board.add(draft);
    },
    onPointerCancel: () => {
      board.takePenUp();
      setDraft(null);
    },
  };
}

/** Where a text begins: on the whiteboard, and on the page, which shows it in this scale. */
interface Place {
  x: number;
  y: number;
  left: number;
  top: number;
  scale: number;
}

interface TypingProps {
  at: Place;
  size: Size;
  onDone: (text: string) => void;
}

/** A text where one has pointed: taken by leaving it or by Enter, given up by Escape. */
function Typing({ at, size, onDone }: TypingProps) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  return (
    <textarea
      // It was asked for by pointing at its place.
      autoFocus
      className={styles.typing}
      style={{
        left: at.left,
        top: at.top,
        width: (WIDTH - at.x) * at.scale,
        fontSize: (SIZES[size] * 3 + 14) * at.scale,
      }}
      rows={Math.max(1, text.split('\n').length)}
      maxLength={TEXT_MAX}
      aria-label={t('share.text')}
      value={text}
      onChange={event => setText(event.currentTarget.value)}
      onBlur={() => onDone(text.trim())}
      onKeyDown={event => {
        event.stopPropagation();
        if (event.key === 'Escape') onDone('');
        if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) onDone(text.trim());
      }}
      data-testid="board-typing"
    />
  );
}

interface ChoiceProps<Name extends string> {
  label: string;
  options: { name: Name; label: string; icon: ReactNode }[];
  chosen: Name;
  onChoose: (name: Name) => void;
}

function Choice<Name extends string>({ label, options, chosen, onChoose }: ChoiceProps<Name>) {
  return (
    <div className={styles.group} role="radiogroup" aria-label={label}>
      {options.map(option => (
        <button
          key={option.name}
          type="button"
          role="radio"
          className={styles.tool}
          aria-checked={option.name === chosen}
          aria-label={option.label}
          title={option.label}
          onClick={() => onChoose(option.name)}
          data-testid={`board-${option.name}`}
        >
          {option.icon}
        </button>
      ))}
    </div>
  );
}

interface ActionProps {
  label: string;
  icon: LucideIcon;
  isDisabled?: boolean;
  onClick: () => void;
  testid: string;
}

function Action({ label, icon: Icon, isDisabled = false, onClick, testid }: ActionProps) {
  return (
    <button
      type="button"
      className={styles.tool}
      aria-label={label}
      title={label}
      disabled={isDisabled}
      onClick={onClick}
      data-testid={testid}
    >
      <Icon size={18} />
    </button>
  );
}

/** As a picture on one's own disk. */
function save(canvas: HTMLCanvasElement | null, name: string): void {
  canvas?.toBlob(blob => {
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    const link = document.createElement('a');
    link.href = url;
    link.download = `${name}.png`;
    link.click();
    URL.revokeObjectURL(url);
  });
}
