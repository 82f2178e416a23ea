-- Whether a list that somebody looks at is the newest is asked often.

create index monitors_updated on monitors (updated_at);
