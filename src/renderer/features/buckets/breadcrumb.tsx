import { Menu } from '@mantine/core';
import { Fragment, useLayoutEffect, useRef, useState } from 'react';
import { foldCrumbs } from './fold-crumbs.ts';
import { crumbsOf, type Place } from './place.ts';

interface BreadcrumbProps {
  readonly place: Place;
  readonly onGo: (prefix: string) => void;
}

type Crumb = ReturnType<typeof crumbsOf>[number];

/** As in buckets.css: the gaps around a slash and its own width; the width of the mark. Pixels. */
const SEPARATOR = 14;
const MARK = 22;

/**
 * The way from the bucket down to here. What lies above the root is named, but does not lead anywhere. Where there is no room for all of it,
 * the middle is in a menu: the folder that is shown is always in sight.
 */
export function Breadcrumb({ place, onGo }: BreadcrumbProps) {
  const crumbs = crumbsOf(place);
  const nav = useRef<HTMLElement>(null);
  const [from, setFrom] = useState(1);
  const labels = crumbs.map(nameOf).join('/');
  useLayoutEffect(() => {
    const element = nav.current;
    if (element === null) return;
    const measure = () => {
      const widths = widthsOf(labels.split('/'), element);
      const room = element.clientWidth;
      setFrom(foldCrumbs(widths, { room, separator: SEPARATOR, mark: MARK }).from);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [labels]);

  const folded = crumbs.slice(1, from);
  return (
    <nav ref={nav} className="crumbs" aria-label="Path">
      {crumbs.map((crumb, index) =>
        index > 0 && index < from ? null : (
          <Fragment key={index}>
            {index > 0 && <Slash />}
            {index === from && folded.length > 0 && (
              <>
                <FoldedCrumbs crumbs={folded} onGo={onGo} />
                <Slash />
              </>
            )}
            <Part crumb={crumb} isLast={index === crumbs.length - 1} onGo={onGo} />
          </Fragment>
        ),
      )}
    </nav>
  );
}

const nameOf = ({ label }: Crumb): string => (label === '' ? '(no name)' : label);

/** Each as wide as it is in bold, in which the last one stands. */
function widthsOf(labels: readonly string[], element: HTMLElement): readonly number[] {
  const context = document.createElement('canvas').getContext('2d');
  if (context === null) return labels.map(() => 0);
  const { fontSize, fontFamily } = getComputedStyle(element);
  context.font = `600 ${fontSize} ${fontFamily}`;
  return labels.map((label) => Math.ceil(context.measureText(label).width));
}

function Slash() {
  return (
    <span className="crumbs-slash" aria-hidden>
      /
    </span>
  );
}

interface PartProps {
  readonly crumb: Crumb;
  readonly isLast: boolean;
  readonly onGo: (prefix: string) => void;
}

function Part({ crumb, isLast, onGo }: PartProps) {
  const { prefix } = crumb;
  const name = nameOf(crumb);
  if (prefix === null)
    return (
      <span className="crumb dimmed" title={`${name}: above the place that was opened`}>
        {name}
      </span>
    );
  if (isLast)
    return (
      <span className="crumb" aria-current="location" title={name}>
        {name}
      </span>
    );
  return (
    <button type="button" className="crumb" title={name} onClick={() => onGo(prefix)}>
      {name}
    </button>
  );
}

interface FoldedCrumbsProps {
  readonly crumbs: readonly Crumb[];
  readonly onGo: (prefix: string) => void;
}

function FoldedCrumbs({ crumbs, onGo }: FoldedCrumbsProps) {
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <button
          type="button"
          className="crumbs-more"
          aria-label={`${crumbs.length} folders between`}
          title={crumbs.map(nameOf).join(' / ')}
        >
          …
        </button>
      </Menu.Target>
      <Menu.Dropdown className="crumbs-menu">
        {crumbs.map((crumb, index) => {
          const { prefix } = crumb;
          return (
            <Menu.Item
              key={index}
              disabled={prefix === null}
              onClick={() => prefix !== null && onGo(prefix)}
            >
              {nameOf(crumb)}
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}
