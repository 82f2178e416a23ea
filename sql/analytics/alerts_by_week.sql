-- Who is woken how often
-- The messages of each channel by week (from Monday, UTC) over the last quarter, with what they told, how many came at
-- night (22:00 to 7:00 in the channel's own zone, else UTC) of something that was down, and how long it took from when a
-- message was made until the provider had it.
select to_char(date_trunc('week', g.ended_at at time zone 'UTC'), 'IYYY-"W"IW') as week, c.name as channel,
  count(*) as messages,
  sum(n.told) as told,
  sum(n.outages) as outages,
  count(*) filter (where n.outages > 0 and (l.told_at >= time '22:00' or l.told_at < time '07:00')) as at_night,
  sum(g.attempts - 1) as tries_again,
  round(extract(epoch from percentile_cont(0.5) within group (order by g.ended_at - g.created_at))::numeric, 1)
    as median_delivery_s
from history.messages g
join history.channels c on c.id = g.channel_id
cross join lateral (
  select count(*) as told, count(*) filter (where kind in ('down', 'reminder')) as outages
  from history.alerts where message_id = g.id) n
cross join lateral (select (g.ended_at at time zone coalesce(c.quiet_zone, 'UTC'))::time as told_at) l
where g.status = 'sent' and g.ended_at >= now() - interval '91 days'
group by date_trunc('week', g.ended_at at time zone 'UTC'), week, c.id, c.name
order by date_trunc('week', g.ended_at at time zone 'UTC') desc, messages desc, c.name;
