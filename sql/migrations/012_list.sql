-- The list of monitors: its order and its search at ten thousand, the views that people keep, and what can be undone.

-- The list sorts and searches all monitors at each visit: lower() on every one of them was half of its time.
create function monitor_words(name text, target text, tags text[]) returns text
language sql immutable parallel safe
return lower(name || ' ' || target || ' ' || array_to_string(tags, ' '));
comment on function monitor_words is 'What a search in the list looks through.';

alter table monitors
  add column sort_name text not null generated always as (lower(name)) stored,
  add column words text not null generated always as (monitor_words(name, target, tags)) stored;
comment on column monitors.sort_name is 'The name as lists sort by it.';
comment on column monitors.words is 'Name, target and tags in lower case, to search in.';

create function status_rank(status monitor_status) returns integer
language sql immutable parallel safe
return case status when 'down' then 1 when 'degraded' then 2 when 'unknown' then 3 when 'pending' then 4
  when 'up' then 5 when 'maintenance' then 6 else 7 end;
comment on function status_rank is 'The place of a status in lists: what is worst comes first.';

create index monitors_archived on monitors (id) where archived_at is not null;

-- Whoever had no change of status in the day has the uptime of its status, and is not named: most are like that.
create function uptime_ranks(as_of timestamptz) returns table (monitor_id bigint, uptime double precision)
language sql stable parallel safe as $$
  with changes as materialized (
    select t.monitor_id, t.at, t.from_status, t.to_status,
      row_number() over w as place, lead(t.at, 1, as_of) over w as until
    from transitions t
    where t.at > as_of - interval '24 hours' and t.at < as_of
    window w as (partition by t.monitor_id order by t.at, t.id)
  ), spent as (
    select c.monitor_id, c.to_status as status, extract(epoch from c.until - c.at) as seconds from changes c
    union all
    select c.monitor_id, c.from_status, extract(epoch from c.at - (as_of - interval '24 hours'))
    from changes c where c.place = 1
  ), maintained as materialized (
    select w.monitor_id from monitor_windows(
      array(select m.id from monitors m where m.archived_at is null and exists (
        select from maintenance_windows w
        where w.during && tstzrange(as_of - interval '24 hours', as_of) and w.counts = 'excluded')),
      as_of - interval '24 hours', as_of) w
  )
  select s.monitor_id, (sum(s.seconds) filter (where s.status in ('up', 'degraded'))
    / nullif(sum(s.seconds) filter (where s.status in ('up', 'degraded', 'down')), 0))::double precision
  from spent s
  where s.monitor_id not in (select m.monitor_id from maintained m)
  group by s.monitor_id
  union all
  select u.monitor_id, u.uptime
  from uptime(array(select m.monitor_id from maintained m), as_of - interval '24 hours', as_of) u
$$;
comment on function uptime_ranks is
  'Uptime over the day before as_of of each monitor that changed its status in it or was in maintenance, for sorting: all others have that of their status.';

create table saved_views (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  name text not null check (length(name) between 1 and 60),
  query text not null check (length(query) <= 2000),
  is_default boolean not null default false,
  created_at timestamptz not null default now()
);
create unique index saved_views_name on saved_views (user_id, lower(name));
create unique index saved_views_default on saved_views (user_id) where is_default;
comment on table saved_views is 'What of the list of monitors somebody wants to see again: each is theirs alone, its address is for everybody.';
comment on column saved_views.query is 'What stands after the ? in the address, as the page writes it.';
comment on column saved_views.is_default is 'The list opens with it.';

create table undos (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  act text not null check (act in ('pause', 'resume', 'edit', 'delete')),
  made_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index undos_user on undos (user_id, id desc);
create index undos_expires on undos (expires_at);
comment on table undos is 'What somebody did to monitors a moment ago and can take back, until expires_at and once.';
comment on column undos.made_at is 'The time of the change: monitors with a later updated_at were changed since, and stay as they are.';

create table undo_items (
  undo_id bigint not null references undos on delete cascade,
  monitor_id bigint not null references monitors,
  before jsonb not null,
  primary key (undo_id, monitor_id)
);
comment on table undo_items is 'The monitors of an undo.';
comment on column undo_items.before is 'The columns that the change wrote, as they were, by name.';
