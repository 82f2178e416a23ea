-- Who is in maintenance now is asked by every page: monitors are found by their tags in the index, which holds those that
-- are not deleted, instead of by reading all of them.

create or replace function monitors_in_maintenance(at timestamptz) returns table (monitor_id bigint)
language sql stable parallel safe as $$
  select m.id from monitors m
  where m.archived_at is null
    and exists (select from maintenance_windows w where w.during @> at and w.everything)
  union
  select unnest(w.monitor_ids) from maintenance_windows w where w.during @> at and not w.everything
  union
  select m.id from maintenance_windows w join monitors m on m.tags && w.tags and m.archived_at is null
  where w.during @> at and not w.everything and not w.settled and w.tags <> '{}'
$$;
