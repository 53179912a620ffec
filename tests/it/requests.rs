//! Requests of the program itself, as the servers that it asks read them.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

/// What Lambda's Runtime API says with an event, whose deadline is far.
pub(crate) const INVOCATION: &str = "Lambda-Runtime-Aws-Request-Id: request\r\n\
    Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\n";

/// A request's path and body; nothing when there are no more.
pub(crate) fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let mut lines = stream.by_ref().lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let head: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let is_chunked = head
        .iter()
        .any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    let length = head.iter().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let mut body = Vec::new();
    if is_chunked {
        let mut line = String::new();
        while stream.read_line(&mut line).ok()? > 0 {
            let length = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; length + 2];
            stream.read_exact(&mut chunk).ok()?;
            body.extend(chunk.iter().take(length));
            if length == 0 {
                break;
            }
            line.clear();
        }
    } else {
        body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).ok()?;
    }
    Some((path, serde_json::from_slice(&body).unwrap_or_default()))
}
