//! Exports of a project's data rows: started, waited for, and read file by file.
//!
//! The requests are those of Labelbox's Python SDK. Source: <https://pypi.org/project/labelbox/>, 7.17.0: `schema/project.py`,
//! `schema/task.py`, `schema/export_task.py`.

use super::client::{Labelbox, owner, read};
use super::query::Query;
use crate::error::LabelboxError;
use crate::sanitize::excerpt;
use bytes::Bytes;
use labelbox_relay::error::error_chain;
use reqwest::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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
/// For all of a file, however slowly its rows are processed.
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
                    response.chunk().await.map_err(no_response)
                }
                Some(text) => Ok(Some(text.into())),
                None => self.open_export(task, ExportStream::Errors).await?.next_chunk().await,
            }
        };
        match first.await {
            Ok(Some(bytes)) => excerpt(&String::from_utf8_lossy(&bytes)),
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
        let task_data: Value = read(&data, &["task"], "export")?;
        // Without a header, the stream is empty.
        let header = task_data.get("exportMetadataHeader").filter(|header| !header.is_null());
        let header = match header {
            Some(header) => Header::deserialize(header).map_err(unreadable)?,
            None => Header { total_size: 0, total_lines: 0 },
        };
        Ok(Export {
            labelbox: self,
            task: task.to_owned(),
            stream,
            header,
            file_offset: 0,
            taken: 0,
            file: None,
        })
    }
}

/// A complete export that is being read.
pub struct Export<'l> {
    labelbox: &'l Labelbox,
    task: String,
    stream: ExportStream,
    header: Header,
    /// Where the current file begins.
    file_offset: u64,
    /// How many bytes of the current file have been returned.
    taken: u64,
    file: Option<OpenFile>,
}

/// A file that is being read.
struct OpenFile {
    response: Response,
    size: u64,
    next_offset: u64,
    position: u64,
}

impl Export<'_> {
    pub fn total_lines(&self) -> u64 {
        self.header.total_lines
    }

    /// The next bytes, or `None` at the end. The files are one text: a line may begin in one and end in the next.
    ///
    /// Their URLs are signed and expire, and connections break: then it asks for the same file again, and skips what it has had.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, LabelboxError> {
        for seconds in FILE_BACKOFF_SECONDS {
            match self.try_next_chunk().await {
                Err(error) if error.is_retryable() => {
                    self.file = None;
                    sleep(Duration::from_secs(seconds)).await;
                }
                outcome => return outcome,
            }
        }
        self.try_next_chunk().await
    }

    async fn try_next_chunk(&mut self) -> Result<Option<Bytes>, LabelboxError> {
        while self.file_offset < self.header.total_size {
            let file = match self.file.take() {
                Some(file) => file,
                None => self.open().await?,
            };
            let file = self.file.insert(file);
            match file.read().await? {
                None => {
                    self.file_offset = file.next_offset;
                    self.taken = 0;
                    self.file = None;
                }
                Some(mut bytes) => {
                    let begin = file.position - bytes.len() as u64;
                    // Usually 0.
                    let known = self.taken.saturating_sub(begin).min(bytes.len() as u64);
                    let new = bytes.split_off(known as usize);
                    if !new.is_empty() {
                        self.taken += new.len() as u64;
                        return Ok(Some(new));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Asks for the current file.
    async fn open(&self) -> Result<OpenFile, LabelboxError> {
        let query = Query::with_variables(
            FILE,
            json!({
                "where": { "id": self.task },
                "streamType": self.stream,
                "offset": self.file_offset.to_string(),
            }),
        );
        let data = self.labelbox.patient_query(&query, "export").await?;
        let file: File = read(&data, &["task", "exportFileFromOffset"], "file of this export")?;
        let File { offsets: Offsets { start, end }, file: url } = file;
        let next_offset = end.saturating_add(1);
        if next_offset <= self.file_offset || next_offset <= start {
            return Err(LabelboxError::Unreadable(format!("a file from {start} to {end}")));
        }
        // The URL is signed, and the key goes to Labelbox only.
        let request = self.labelbox.http.get(&url).timeout(FILE_TIMEOUT);
        let response = timeout(READ_TIMEOUT, request.send()).await.map_err(|_| silent())?;
        let response = response.map_err(no_response)?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            return Err(LabelboxError::Failed(format!("a file of the export: status {status}")));
        }
        Ok(OpenFile { response, size: next_offset - start, next_offset, position: 0 })
    }
}

impl OpenFile {
    async fn read(&mut self) -> Result<Option<Bytes>, LabelboxError> {
        let chunk = timeout(READ_TIMEOUT, self.response.chunk()).await.map_err(|_| silent())?;
        let chunk = chunk.map_err(no_response)?;
        self.position += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        let (size, position) = (self.size, self.position);
        if position > size || (chunk.is_none() && position < size) {
            let reason = format!("a file of the export has {position} bytes, not {size}");
            return Err(LabelboxError::NoResponse(reason));
        }
        Ok(chunk)
    }
}

#[derive(Deserialize)]
struct Task {
    status: String,
    errors: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    #[serde(deserialize_with = "number")]
    total_size: u64,
    #[serde(deserialize_with = "number")]
    total_lines: u64,
}

#[derive(Deserialize)]
struct File {
    offsets: Offsets,
    file: String,
}

#[derive(Deserialize)]
struct Offsets {
    #[serde(deserialize_with = "number")]
    start: u64,
    #[serde(deserialize_with = "number")]
    end: u64,
}

/// A number of 64 bits, which JSON may have as text.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| serde::de::Error::custom(format!("{value} is no size")))
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

fn silent() -> LabelboxError {
    LabelboxError::NoResponse(format!("nothing for {} s", READ_TIMEOUT.as_secs()))
}

fn unreadable(error: serde_json::Error) -> LabelboxError {
    LabelboxError::Unreadable(excerpt(&error.to_string()))
}
