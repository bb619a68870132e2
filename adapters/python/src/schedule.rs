//! The client's calls for schedules and calendars.

use std::time::SystemTime;

use pyo3::prelude::*;
use rhythm_client::ScheduleOptions;

use crate::call::{Answer, Call};
use crate::client::{Client, duration, moment};

/// The calls of a client that are about schedules.
#[pyclass(frozen, module = "rhythm._native")]
pub(crate) struct Schedules(Py<Client>);

impl Schedules {
    fn client(&self) -> rhythm_client::Client {
        self.0.get().client()
    }
}

#[pymethods]
impl Schedules {
    #[new]
    fn new(client: Py<Client>) -> Self {
        Self(client)
    }

    #[allow(clippy::too_many_arguments, reason = "the SQL function has them")]
    fn schedule(
        &self,
        name: String,
        cron: Option<String>,
        every: Option<f64>,
        task: Option<String>,
        workflow: Option<String>,
        inputs: Option<String>,
        time_zone: Option<String>,
        overlap: Option<String>,
        catch_up: Option<f64>,
        jitter: Option<f64>,
        queue: Option<String>,
        priority: Option<i32>,
        retry: Option<String>,
        timeout: Option<f64>,
        start_timeout: Option<f64>,
        attempt_timeout: Option<f64>,
        heartbeat_timeout: Option<f64>,
        remember: Option<String>,
        result: Option<String>,
        exclude: Option<Vec<String>>,
        starts_at: Option<f64>,
        ends_at: Option<f64>,
    ) -> PyResult<Call> {
        let client = self.client();
        let options = ScheduleOptions {
            cron,
            every: duration("every", every)?,
            task,
            workflow,
            inputs,
            time_zone,
            overlap,
            catch_up: duration("catch_up", catch_up)?,
            jitter: duration("jitter", jitter)?,
            queue,
            priority,
            retry,
            timeout: duration("timeout", timeout)?,
            start_timeout: duration("start_timeout", start_timeout)?,
            attempt_timeout: duration("attempt_timeout", attempt_timeout)?,
            heartbeat_timeout: duration("heartbeat_timeout", heartbeat_timeout)?,
            remember,
            result,
            exclude,
            starts_at: moment("starts_at", starts_at)?,
            ends_at: moment("ends_at", ends_at)?,
        };
        Ok(Call::new(async move {
            let next = client.schedule(&name, &options).await?;
            Ok(Answer::Moment(next.map(seconds)))
        }))
    }

    fn unschedule(&self, name: String) -> Call {
        let client = self.client();
        Call::new(async move { client.unschedule(&name).await.map(Answer::Flag) })
    }

    fn pause_schedule(&self, name: String, reason: Option<String>) -> Call {
        let client = self.client();
        Call::new(async move {
            let paused = client.pause_schedule(&name, reason.as_deref()).await;
            paused.map(Answer::Flag)
        })
    }

    fn resume_schedule(&self, name: String) -> Call {
        let client = self.client();
        Call::new(async move { client.resume_schedule(&name).await.map(Answer::Flag) })
    }

    fn trigger_schedule(&self, name: String, overlap: Option<String>) -> Call {
        let client = self.client();
        Call::new(async move {
            let id = client.trigger_schedule(&name, overlap.as_deref()).await;
            id.map(Answer::MaybeId)
        })
    }

    fn backfill_schedule(
        &self,
        name: String,
        since: f64,
        until: Option<f64>,
        overlap: Option<String>,
    ) -> PyResult<Call> {
        let client = self.client();
        let since = moment("since", Some(since))?.unwrap_or(SystemTime::UNIX_EPOCH);
        let until = moment("until", until)?;
        Ok(Call::new(async move {
            let count = client
                .backfill_schedule(&name, since, until, overlap.as_deref())
                .await;
            count.map(|count| Answer::Number(count.into()))
        }))
    }

    fn schedule_times(&self, name: String, count: i32, since: Option<f64>) -> PyResult<Call> {
        let client = self.client();
        let since = moment("since", since)?;
        Ok(Call::new(async move {
            let times = client.schedule_times(&name, count, since).await?;
            Ok(Answer::Moments(times.into_iter().map(seconds).collect()))
        }))
    }

    fn cron_times(
        &self,
        cron: String,
        time_zone: String,
        count: i32,
        since: Option<f64>,
    ) -> PyResult<Call> {
        let client = self.client();
        let since = moment("since", since)?;
        Ok(Call::new(async move {
            let times = client.cron_times(&cron, &time_zone, count, since).await?;
            Ok(Answer::Moments(times.into_iter().map(seconds).collect()))
        }))
    }

    fn set_calendar(
        &self,
        name: String,
        days: Vec<String>,
        weekdays: Vec<String>,
        during: Vec<(f64, f64)>,
    ) -> PyResult<Call> {
        let client = self.client();
        let mut ranges = Vec::new();
        for (from, to) in during {
            let epoch = SystemTime::UNIX_EPOCH;
            ranges.push((
                moment("during", Some(from))?.unwrap_or(epoch),
                moment("during", Some(to))?.unwrap_or(epoch),
            ));
        }
        Ok(Call::new(async move {
            let set = client.set_calendar(&name, &days, &weekdays, &ranges).await;
            set.map(|()| Answer::Nothing)
        }))
    }

    fn delete_calendar(&self, name: String) -> Call {
        let client = self.client();
        Call::new(async move { client.delete_calendar(&name).await.map(Answer::Flag) })
    }

    /// The rows of the view as JSON.
    fn schedules(&self, name: Option<String>) -> Call {
        let client = self.client();
        Call::new(async move {
            let found = client.schedules(name.as_deref()).await?;
            Answer::json(&found)
        })
    }

    /// The rows of the view as JSON.
    fn schedule_runs(&self, name: Option<String>, limit: i64) -> Call {
        let client = self.client();
        Call::new(async move {
            let found = client.schedule_runs(name.as_deref(), limit).await?;
            Answer::json(&found)
        })
    }

    /// The rows of the view as JSON.
    fn calendars(&self, name: Option<String>) -> Call {
        let client = self.client();
        Call::new(async move {
            let found = client.calendars(name.as_deref()).await?;
            Answer::json(&found)
        })
    }
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
