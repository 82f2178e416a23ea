-- A few outages at the same time are told within a second; only a storm waits until it is over.

-- One channel's due notifications into one message, claimed by `sender`; null where no channel is ready.
-- One or two wait 0.4 s for company, fewer than twenty 0.6 s; more of them until nothing has come for a second, or for
-- 4 s. What was held back and is looked at again is no company.
create or replace function gather_message(sender text, lease interval) returns bigint language plpgsql as $$
declare
  channel channels;
  seen bigint[] := '{}';
  made_id bigint;
begin
  loop
    -- Not `for update`: who writes a notification holds a key share lock on its channel, and must not wait for us.
    select c.* into channel
    from channels c
    cross join lateral (
      select count(*) filter (where held is null) as waiting, clock_timestamp() - min(due_at) as oldest_waited,
        clock_timestamp() - max(due_at) filter (where held is null) as newest_waited
      from (select due_at, held from notifications n
        where n.channel_id = c.id and n.status = 'waiting' and n.due_at <= clock_timestamp()
        order by due_at limit 5000) due) w
    where c.enabled and c.archived_at is null and c.broken_at is null and c.next_at <= clock_timestamp()
      and (w.oldest_waited >= '4 s' or case
        when w.waiting < 3 then w.oldest_waited >= '0.4 s'
        when w.waiting < 20 then w.oldest_waited >= '0.6 s'
        else w.newest_waited >= '1 s' end)
      and not exists (select from messages m where m.channel_id = c.id and m.status in ('sending', 'retry'))
      and c.id <> all(seen)
    order by w.oldest_waited desc
    limit 1
    for no key update of c skip locked;
    if channel.id is null then
      return null;
    end if;
    seen := seen || channel.id;
    -- Looked at again now that it is locked: another sender may have been here since this statement began.
    if not exists (select from messages m where m.channel_id = channel.id and m.status in ('sending', 'retry')) then
      made_id := settle_due(channel, sender, lease);
    end if;
    if made_id is not null then
      return made_id;
    end if;
  end loop;
end $$;
