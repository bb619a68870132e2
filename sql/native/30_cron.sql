-- Cron expressions: reading them, and the times that they mean in a time zone of the server.

-- Times in seconds since 1970, after `after`, fewer than `count` when no more come. Else `wrong` names the argument.
create function rhythm._cron_times(expression text, time_zone text, after bigint, count int)
returns table (times bigint[], wrong text, message text)
language c strict stable rows 1 as 'MODULE_PATHNAME', 'cron_times_wrapper';
