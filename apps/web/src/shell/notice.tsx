/** A page that is one message: not found, no server, broken. */
import type { ReactNode } from 'react';

/** `alert` has screen readers say it at once. */
export function Notice(props: { title: string; text: string; alert?: boolean; children?: ReactNode }) {
  return (
    <section
      className="card mx-auto mt-8 flex max-w-xl flex-col items-start gap-4 p-6"
      {...(props.alert && { role: 'alert' })}
    >
      <h1 className="text-xl">{props.title}</h1>
      <p className="text-muted">{props.text}</p>
      {props.children}
    </section>
  );
}
