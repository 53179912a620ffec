//! Exports of a project's data rows: started, waited for, and read file by file.
//!
//! The requests are those of Labelbox's Python SDK. Source: <https://pypi.org/project/labelbox/>, 7.17.0: `schema/project.py`,
//! `schema/task.py`, `schema/export_task.py`.

use super::client::{Labelbox, owner, read};
use super::query::Query;
use crate::error::{Error, LabelboxError};
use crate::sanitize::excerpt;
use labelbox_relay::error::error_chain;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::time::{sleep, timeout};

const START: &str = "mutation exportDataRowsInProjectPyApi($input: ExportDataRowsInProjectInput!)\
                     {exportDataRowsInProject(input: $input){taskId isStreamable}}";
const USER: &str = "query GetUserPyApi{user{createdAt email isExternalUser isViewer lastLoginAt nickname name picture id updatedAt}}";
const TASK: &str = "query GetUserCreatedTasksPyApi($param_0: ID!, $param_1: ID!)\
                    {user(where: {id: $param_1}){createdTasks(where: {id: $param_0} skip: 0 first: 100)\
                    {completionPercentage createdAt errors metadata name result status status type id updatedAt}}}";
const HEADER: &str = "query GetExportMetadataHeaderPyApi($where: WhereUniqueIdInput, $streamType: TaskStreamType!)\
                      {task(where: $where){exportMetadataHeader(streamType: $streamType){totalSize totalLines}}}";
const FILE: &str = "query GetExportFileFromOffsetPyApi\
                    ($where: WhereUniqueIdInput, $streamType: TaskStreamType!, $offset: UInt64!)\
                    {task(where: $where){exportFileFromOffset(streamType: $streamType, offset: $offset)\
                    {offsets {start end} lines {start end} file}}}";

/// The SDK polls no faster, and no longer.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(7200);
/// Labelbox limits requests per minute, and running exports. Together about ten minutes.
const LIMIT_BACKOFF_SECONDS: [u64; 12] = [5, 10, 20, 40, 60, 60, 60, 60, 60, 60, 60, 60];
/// Pauses before a file is asked for again that could not be read to its end.
const FILE_BACKOFF_SECONDS: [u64; 5] = [1, 2, 5, 10, 20];
/// For all of a file.
const FILE_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Without a byte for so long, the connection is broken.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What an export has: rows, or errors of rows that are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ExportStream {
    #[serde(rename = "RESULT")]
    Rows,
    #[serde(rename = "ERRORS")]
    Errors,
}

impl Labelbox {
    /// Exports a project's data rows with any activity since this time, which is in UTC, and waits until the export is complete. Returns the id of
    /// its task.
    ///
    /// An export that is started twice, because a response was lost, changes nothing.
    pub async fn export(
        &self,
        project: &str,
        since: OffsetDateTime,
    ) -> Result<String, LabelboxError> {
        let subject = owner(Some(project));
        let start = start(project, since);
        let data = self.patient_query(&start, &subject).await?;
        let task: String = read(&data, &["exportDataRowsInProject", "taskId"], &subject)?;
        let user = Query::with_variables(USER, json!({}));
        let data = self.patient_query(&user, "user").await?;
        let user: String = read(&data, &["user", "id"], "user")?;
        let not_done = |_| LabelboxError::ExportFailed("it is not complete after two hours".into());
        timeout(EXPORT_TIMEOUT, self.wait(&user, &task)).await.map_err(not_done)??;
        Ok(task)
    }

    /// Repeats a query for as long as Labelbox limits the requests, or the running exports of a project, which has no error code.
    async fn patient_query(&self, query: &Query, subject: &str) -> Result<Value, LabelboxError> {
        use LabelboxError::{Failed, Invalid, Limited, NotAllowed};
        for seconds in LIMIT_BACKOFF_SECONDS {
            match self.query(query, subject).await {
                Err(Limited(_)) => {}
                Err(Failed(message) | Invalid(message) | NotAllowed(message))
                    if ["limit", "exceed"].iter().any(|it| message.to_lowercase().contains(it)) => {
                }
                outcome => return outcome,
            }
            sleep(Duration::from_secs(seconds)).await;
        }
        self.query(query, subject).await
    }

    async fn wait(&self, user: &str, task: &str) -> Result<(), LabelboxError> {
        let query = Query::with_variables(TASK, json!({ "param_0": task, "param_1": user }));
        loop {
            let data = self.patient_query(&query, "export").await?;
            let tasks: Vec<Task> = read(&data, &["user", "createdTasks"], "export")?;
            let found = tasks.into_iter().next();
            let found = found.ok_or_else(|| LabelboxError::NotFound("export".to_owned()))?;
            match found.status.as_str() {
                "IN_PROGRESS" => sleep(POLL_INTERVAL).await,
                "COMPLETE" => return Ok(()),
                status => {
                    let reason = self.errors(task, found.errors).await;
                    let status = excerpt(status);
                    return Err(LabelboxError::ExportFailed(format!("{status}: {reason}")));
                }
            }
        }
    }

    /// What Labelbox says of a failed export: in the task, behind the task's URL, or in the stream of errors.
    async fn errors(&self, task: &str, of_task: Option<String>) -> String {
        let first = async {
            match of_task {
                Some(url) if url.starts_with("http") => {
                    let mut response = self.http.get(url).send().await.map_err(no_response)?;
                    Ok(response.chunk().await.map_err(no_response)?.unwrap_or_default().into())
                }
                Some(text) => Ok(text.into_bytes()),
                None => {
                    let mut start = Vec::new();
                    let mut export = self.open_export(task, ExportStream::Errors).await?;
                    if let Some(file) = export.next_file().await? {
                        let read = file.take(1000).read_to_end(&mut start);
                        read.map_err(Error::TemporaryFile)?;
                    }
                    Ok::<_, Error>(start)
                }
            }
        };
        match first.await {
            Ok(bytes) if !bytes.is_empty() => excerpt(&String::from_utf8_lossy(&bytes)),
            _ => "Labelbox does not say why".to_owned(),
        }
    }

    /// Opens a complete export for reading.
    pub async fn open_export(
        &self,
        task: &str,
        stream: ExportStream,
    ) -> Result<Export<'_>, LabelboxError> {
        let variables = json!({ "where": { "id": task }, "streamType": stream });
        let query = Query::with_variables(HEADER, variables);
        let data = self.patient_query(&query, "export").await?;
        let export: Value = read(&data, &["task"], "export")?;
        // Without a header, the stream is empty.
        let (total_size, total_lines) = match export.get("exportMetadataHeader") {
            None | Some(Value::Null) => (0, 0),
            Some(header) => (number(header, "/totalSize")?, number(header, "/totalLines")?),
        };
        let task = task.to_owned();
        Ok(Export { labelbox: self, task, stream, total_size, total_lines, offset: 0 })
    }
}

/// A complete export that is being read.
pub struct Export<'l> {
    labelbox: &'l Labelbox,
    task: String,
    stream: ExportStream,
    total_size: u64,
    pub total_lines: u64,
    /// Where the next file begins.
    offset: u64,
}

impl Export<'_> {
    /// The next file, or `None` after the last. The files are one text: a line may begin in one and end in the next.
    ///
    /// Their URLs are signed and expire, and connections break: then it asks for the same file again.
    pub async fn next_file(&mut self) -> Result<Option<File>, Error> {
        if self.offset >= self.total_size {
            return Ok(None);
        }
        for seconds in FILE_BACKOFF_SECONDS {
            match self.download().await {
                Err(Error::Labelbox(error)) if error.is_retryable() => {
                    sleep(Duration::from_secs(seconds)).await;
                }
                outcome => return outcome.map(Some),
            }
        }
        self.download().await.map(Some)
    }

    /// Downloads the next file as a whole, as the SDK does, but to the disk.
    async fn download(&mut self) -> Result<File, Error> {
        let variables = json!({
            "where": { "id": self.task },
            "streamType": self.stream,
            "offset": self.offset.to_string(),
        });
        let query = Query::with_variables(FILE, variables);
        let data = self.labelbox.patient_query(&query, "export").await?;
        let file: Value = read(&data, &["task", "exportFileFromOffset"], "file of this export")?;
        let (start, end) = (number(&file, "/offsets/start")?, number(&file, "/offsets/end")?);
        let no_url =
            || LabelboxError::Unreadable("a file of the export without its URL".to_owned());
        let url = file.get("file").and_then(Value::as_str).ok_or_else(no_url)?;
        let next_offset = end.saturating_add(1);
        if next_offset <= self.offset || next_offset <= start {
            return Err(LabelboxError::Unreadable(format!("a file from {start} to {end}")).into());
        }
        // The URL is signed, and the key goes to Labelbox only.
        let request = self.labelbox.http.get(url).timeout(FILE_TIMEOUT);
        let mut response = within(READ_TIMEOUT, request.send()).await?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let reason = format!("a file of the export: status {status}");
            return Err(LabelboxError::Failed(reason).into());
        }
        let mut content = tempfile::tempfile().map_err(Error::TemporaryFile)?;
        let mut bytes = 0;
        while let Some(chunk) = within(READ_TIMEOUT, response.chunk()).await? {
            content.write_all(&chunk).map_err(Error::TemporaryFile)?;
            bytes += chunk.len() as u64;
        }
        let size = next_offset - start;
        if bytes != size {
            let reason = format!("a file of the export has {bytes} bytes, not {size}");
            return Err(LabelboxError::NoResponse(reason).into());
        }
        content.rewind().map_err(Error::TemporaryFile)?;
        self.offset = next_offset;
        Ok(content)
    }
}

async fn within<T>(
    time: Duration,
    work: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, LabelboxError> {
    let silent = |_| LabelboxError::NoResponse(format!("nothing for {} s", time.as_secs()));
    timeout(time, work).await.map_err(silent)?.map_err(no_response)
}

#[derive(Deserialize)]
struct Task {
    status: String,
    errors: Option<String>,
}

/// A number of 64 bits, which JSON may have as text.
fn number(value: &Value, pointer: &str) -> Result<u64, LabelboxError> {
    let number = value.pointer(pointer);
    let number = number.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok()));
    number.ok_or_else(|| LabelboxError::Unreadable(format!("no number at {pointer}")))
}

/// `since` is in UTC. The details are those that an event's message needs: times of labels, of workflow steps and of the last activity. What Labelbox
/// would have to compute besides is left out.
fn start(project: &str, since: OffsetDateTime) -> Query {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let since = since.format(format).unwrap_or_default();
    let filter = json!({
        "type": "data_row_last_activity_at",
        "value": { "operator": "GREATER_THAN_OR_EQUAL", "timezone": "UTC", "value": since },
    });
    let input = json!({
        "taskName": null,
        "isStreamableReady": true,
        "filters": { "projectId": project, "searchQuery": { "scope": null, "query": [filter] } },
        "params": {
            "mediaTypeOverride": null,
            "includeAttachments": true,
            "includeEmbeddings": false,
            "includeMetadata": true,
            "includeDataRowDetails": true,
            "includeProjectDetails": true,
            "includePerformanceDetails": false,
            "includeLabelDetails": true,
            "includeInterpolatedFrames": false,
        },
        "streamable": true,
    });
    Query::with_variables(START, json!({ "input": input }))
}

fn no_response(error: reqwest::Error) -> LabelboxError {
    LabelboxError::NoResponse(excerpt(&error_chain(&error.without_url())))
}
