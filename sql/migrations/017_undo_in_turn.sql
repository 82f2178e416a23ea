-- Two changes, taken back one after the other: once the second is, monitors are as the first left them.

alter table undo_items add column found_at timestamptz, add column left_at timestamptz;
update undo_items i set left_at = u.made_at from undos u where u.id = i.undo_id;
alter table undo_items alter column left_at set not null;
comment on column undo_items.found_at is 'updated_at of the monitor before the change.';
comment on column undo_items.left_at is
  'updated_at of the monitor as the change left it, or as another undo brought it back there: with any other one, somebody changed it since, and it stays as it is.';
comment on column undos.made_at is 'The time of the change.';
