import { useRef } from 'react';
import { MAX_JOB_FILE, type JobFileMistake } from '../../../shared/ipc/new-job.ts';

interface YamlViewProps {
  readonly text: string;
  readonly onText: (text: string) => void;
  /** Null while the text is being read. */
  readonly mistakes: readonly JobFileMistake[] | null;
}

/** The job file behind the form, with its mistakes by line. */
export function YamlView({ text, onText, mistakes }: YamlViewProps) {
  const box = useRef<HTMLTextAreaElement>(null);
  const show = ({ line, column }: JobFileMistake) => {
    const lines = text.split('\n');
    const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    const end = before + (lines[line - 1]?.length ?? 0);
    box.current?.focus();
    box.current?.setSelectionRange(Math.min(before + column - 1, end), end);
  };
  const wrong = new Set(mistakes?.map(({ line }) => line) ?? []);
  return (
    <div className="nj-yaml">
      <div className="nj-editor">
        <pre className="nj-gutter" aria-hidden>
          {text.split('\n').map((_, index) => (
            <span key={index} data-wrong={wrong.has(index + 1)}>
              {index + 1}
              {'\n'}
            </span>
          ))}
        </pre>
        <textarea
          ref={box}
          aria-label="Job file in YAML"
          aria-describedby="new-job-yaml-state"
          aria-invalid={mistakes !== null && mistakes.length > 0 ? true : undefined}
          value={text}
          maxLength={MAX_JOB_FILE}
          spellCheck={false}
          wrap="off"
          onChange={(event) => onText(event.currentTarget.value)}
        />
      </div>
      <div className="nj-mistakes" id="new-job-yaml-state" aria-live="polite">
        {mistakes === null ? (
          <p className="nj-about">Reading…</p>
        ) : mistakes.length === 0 ? (
          <p className="nj-about">No mistakes. The form has what stands here.</p>
        ) : (
          <ul>
            {mistakes.map((mistake, index) => (
              <li key={index}>
                <button type="button" onClick={() => show(mistake)}>
                  <span className="nj-place">
                    Line {mistake.line}, column {mistake.column}
                  </span>{' '}
                  {mistake.message}
                </button>
              </li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}
