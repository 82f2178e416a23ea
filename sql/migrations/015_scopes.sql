-- A token that changes monitors changes no people: a scope of its own is for those who may.

alter table api_tokens drop constraint api_tokens_scope_check;
alter table api_tokens add constraint api_tokens_scope_check check (scope in ('read', 'write', 'metrics', 'people'));
comment on column api_tokens.scope is
  'read: look. write: change what editors change, as far as the person''s role goes. people: all that the person may, people and the audit log too. metrics: /metrics alone.';
