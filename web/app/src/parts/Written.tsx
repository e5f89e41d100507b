/**
 * What somebody wrote, on one line among words of ours: it keeps its own direction, turns none of ours around, and is cut
 * at its own end where there is no room for it. Longer texts are a `<bdi>` or have `dir="auto"`.
 */
export function Written({ text, className = '' }: { text: string; className?: string | undefined }) {
  return (
    <span dir="auto" className={`written ${className}`}>
      {text}
    </span>
  );
}
