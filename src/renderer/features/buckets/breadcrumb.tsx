import { Fragment } from 'react';
import { crumbsOf, type Place } from './place.ts';

interface BreadcrumbProps {
  readonly place: Place;
  readonly onGo: (prefix: string) => void;
}

/** The way from the bucket down to here. What lies above the root is named, but does not lead anywhere. */
export function Breadcrumb({ place, onGo }: BreadcrumbProps) {
  const crumbs = crumbsOf(place);
  return (
    <nav className="crumbs" aria-label="Path">
      {crumbs.map(({ label, prefix }, index) => (
        <Fragment key={index}>
          {index > 0 && (
            <span className="dimmed" aria-hidden>
              /
            </span>
          )}
          {prefix === null ? (
            <span className="dimmed" title="Above the place that was opened">
              {label}
            </span>
          ) : index === crumbs.length - 1 ? (
            <span aria-current="location">{label === '' ? '(no name)' : label}</span>
          ) : (
            <button type="button" onClick={() => onGo(prefix)}>
              {label === '' ? '(no name)' : label}
            </button>
          )}
        </Fragment>
      ))}
    </nav>
  );
}
