//! The lines of an export, one after the other. A long one is in a temporary file, so that memory stays small.

use super::row::Row;
use crate::error::Error;
use crate::labelbox::Export;
use futures_util::{Stream, stream};
use labelbox_relay::message::DedupId;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use tempfile::SpooledTempFile;

/// A longer line is never a message, since SQS takes no larger ones.
const MAX_IN_MEMORY: usize = 1024 * 1024;

/// Reads an export line by line.
pub fn lines(export: Export<'_>) -> impl Stream<Item = Result<Line, Error>> {
    let lines = Lines { export, file: None, number: 0 };
    stream::try_unfold(lines, async |mut lines| Ok(lines.next().await?.map(|line| (line, lines))))
}

struct Lines<'l> {
    export: Export<'l>,
    file: Option<BufReader<File>>,
    number: u64,
}

/// A line without its end.
pub struct Line {
    /// Of the export, from 1.
    pub number: u64,
    pub size: u64,
    content: SpooledTempFile,
}

impl Lines<'_> {
    /// Returns the next line that is not empty, or `None` after the last one.
    async fn next(&mut self) -> Result<Option<Line>, Error> {
        let mut content = SpooledTempFile::new(MAX_IN_MEMORY);
        let mut size = 0;
        let mut is_complete = false;
        while !is_complete {
            if self.file.is_none() {
                self.file = self.export.next_file().await?.map(BufReader::new);
            }
            let Some(file) = &mut self.file else {
                // The last line may have no end.
                self.number += 1;
                break;
            };
            let bytes = file.fill_buf().map_err(Error::TemporaryFile)?;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (line, _) = bytes.split_at(end.unwrap_or(bytes.len()));
            content.write_all(line).map_err(Error::TemporaryFile)?;
            size += line.len() as u64;
            let count = line.len() + usize::from(end.is_some());
            file.consume(count);
            if count == 0 {
                self.file = None;
            }
            if end.is_some() {
                self.number += 1;
                is_complete = size > 0;
            }
        }
        Ok((size > 0).then_some(Line { number: self.number, size, content }))
    }
}

impl Line {
    /// Reads what a message needs, however long the line is.
    pub fn row(&mut self) -> Result<Row, serde_json::Error> {
        self.content.rewind().map_err(serde_json::Error::io)?;
        serde_json::from_reader(BufReader::new(&mut self.content))
    }

    /// Adds all bytes to a `dedup_id`.
    pub fn hash(&mut self, mut id: DedupId) -> io::Result<String> {
        let mut buffer = vec![0; 64 * 1024];
        let reader = self.reader()?;
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(id.finish()),
                count => id.update(buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    /// The bytes, if they are in memory.
    pub fn in_memory(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.content.is_rolled() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// All bytes, from the start.
    pub fn reader(&mut self) -> io::Result<&mut impl Read> {
        self.content.rewind()?;
        Ok(&mut self.content)
    }
}
