//! Many runs at once, and all that belongs to one: start, end, look at its tree.

use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::client::{Client, Parameter};
use crate::error::Result;
use crate::rows::Execution;

impl Client {
    /// Starts many workflows, all or none; `items` is a JSON array of the parameters of `start`. Gives for each its id and whether
    /// it is new.
    pub async fn start_many(&self, items: &str) -> Result<Vec<(Uuid, bool)>> {
        let sql = "select id, created from rhythm.start_many($1::jsonb)";
        self.rows(sql, &[(&items, Type::TEXT)])
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// Ends an execution and all that it has started, at once; false when it has ended.
    pub async fn terminate(&self, id: Uuid, reason: Option<&str>) -> Result<bool> {
        let parameters: [Parameter<'_>; 2] = [(&id, Type::UUID), (&reason, Type::TEXT)];
        Ok(self
            .row("select rhythm.terminate($1, $2)", &parameters)
            .await?
            .try_get(0)?)
    }

    /// An execution and all that it has started, each before what that has started itself; `max` rows at most, upper levels first.
    pub async fn tree(&self, root: Uuid, max: i32) -> Result<Vec<Execution>> {
        let sql = format!(
            "select {} from (select t.id as node, row_number() over () as place from rhythm.tree($1, $2) t) t
             cross join lateral (select * from rhythm.executions e where e.id = t.node offset 0) e
             order by t.place",
            Execution::COLUMNS
        );
        self.rows(&sql, &[(&root, Type::UUID), (&max, Type::INT4)])
            .await?
            .iter()
            .map(Execution::from_row)
            .collect()
    }
}
