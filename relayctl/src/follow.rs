//! One queue, followed: each message once, hidden from others for as short as can be, and all of them given back.
//!
//! SQS has no way to look at a message without receiving it, and counts each receive. So a look goes through the queue
//! once, gives back all that it has seen, and then only asks for counts, which costs nothing, until more waits than what
//! it has seen. Then it looks again. What has cost its receives by then is kept hidden until the end, as SQS would
//! hand it out again and again otherwise.

use crate::care::Care;
use crate::live_queue::{HIDDEN_SECONDS, LiveQueue, MOST_AT_ONCE, Standing};
use crate::received::Received;
use crate::trouble::Trouble;
use futures_util::FutureExt;
use std::collections::{HashMap, HashSet};
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep};

/// Well before what we have would come back by itself.
const RENEWED_EVERY: Duration = Duration::from_secs(HIDDEN_SECONDS as u64 / 3);
const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// So often in a row the queue must say that less waits: its counts lag behind what they count.
const LESS_BELIEVED: u32 = 5;
/// What others have to take what we give back before we receive again.
const HEAD_START: Duration = Duration::from_secs(2);
/// So many messages at most are kept until the end.
const MOST_KEPT: usize = 1000;

/// A message that was not shown before, or why there will be none.
pub type Line<'r> = Sender<Result<(LiveQueue<'r>, Standing, Received), Trouble>>;

/// What there is to say of a queue when nobody follows it any more.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Farewell {
    pub queue: String,
    /// Messages that have no receive left: the next one moves them to the dead-letter queue.
    pub spent: usize,
    /// Whether they were kept for too long, or too many of them, so that nobody looked any more.
    pub was_cut_short: bool,
    /// Messages that waited behind what we kept, about.
    pub unseen: u64,
    /// Why something was not given back, and comes back by itself.
    pub not_given_back: Option<String>,
}

/// Follows a queue until the line is closed at its other end, or the messages have had enough.
pub async fn follow<'r>(queue: LiveQueue<'r>, care: Care, line: Line<'r>) -> Farewell {
    let mut follower = Follower::new(queue, care);
    let outcome = follower.all(&line).await;
    follower.kept.extend(follower.in_hand.drain());
    let all = follower.kept.drain().map(|(_, handle)| handle).collect();
    follower.give_back(all).await;
    if let Err(trouble) = outcome {
        // Where nobody listens any more, they have their own end to tell of.
        let _ = line.send(Err(trouble)).await;
    }
    follower.farewell.spent = follower.spent.len();
    follower.farewell
}

struct Follower<'r> {
    queue: LiveQueue<'r>,
    care: Care,
    standing: Standing,
    /// How often we have received what.
    receives: HashMap<String, u32>,
    /// Handles of what a look has received, by message id.
    in_hand: HashMap<String, String>,
    /// Handles of what must not be received again.
    kept: HashMap<String, String>,
    spent: HashSet<String>,
    /// How many are known to wait.
    known: u64,
    /// How often in a row fewer have waited.
    less: u32,
    renewal: Interval,
    kept_too_long: Option<Pin<Box<Sleep>>>,
    farewell: Farewell,
}

impl<'r> Follower<'r> {
    fn new(queue: LiveQueue<'r>, care: Care) -> Self {
        let mut renewal = interval(RENEWED_EVERY);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // There is nothing to renew yet.
        renewal.reset();
        let farewell = Farewell { queue: queue.name(), ..Farewell::default() };
        Self {
            queue,
            care,
            standing: Standing::default(),
            receives: HashMap::new(),
            in_hand: HashMap::new(),
            kept: HashMap::new(),
            spent: HashSet::new(),
            known: 0,
            less: 0,
            renewal,
            kept_too_long: None,
            farewell,
        }
    }

    async fn all(&mut self, line: &Line<'r>) -> Result<(), Trouble> {
        self.standing = self.queue.standing().await?;
        while !line.is_closed() {
            if self.has_kept_enough() {
                self.farewell.was_cut_short = true;
                break;
            }
            if !self.has_news().await? {
                self.pause(COUNTED_EVERY, line).await;
                continue;
            }
            let has_seen_all = self.look(line).await?;
            let seen = self.in_hand.drain().map(|(_, handle)| handle).collect();
            self.give_back(seen).await;
            if !has_seen_all {
                self.pause(HEAD_START, line).await;
            }
        }
        Ok(())
    }

    fn has_kept_enough(&mut self) -> bool {
        let time = self.kept_too_long.as_mut();
        let is_too_long = time.is_some_and(|time| time.now_or_never().is_some());
        is_too_long || self.kept.len() >= MOST_KEPT
    }

    /// Whether more waits than what we know. Where nothing waits that we know, receiving costs nobody anything.
    async fn has_news(&mut self) -> Result<bool, Trouble> {
        if self.known == 0 && self.kept.is_empty() {
            self.standing.waiting = 0;
            return Ok(true);
        }
        let queue = self.queue;
        self.standing = self.renewing(queue.standing()).await?;
        let waiting = self.standing.waiting;
        self.less = if waiting < self.known { self.less + 1 } else { 0 };
        if self.less >= LESS_BELIEVED {
            (self.known, self.less) = (waiting, 0);
        }
        Ok(waiting > self.known || self.known == 0)
    }

    /// Receives until nothing comes, or for as long as may be. Says whether that was all there is.
    async fn look(&mut self, line: &Line<'r>) -> Result<bool, Trouble> {
        let mut too_long = pin!(sleep(self.care.hold));
        let queue = self.queue;
        let before = self.known;
        let mut has_seen_all = true;
        let mut is_empty = true;
        loop {
            let messages = self.renewing(queue.receive(MOST_AT_ONCE)).await?;
            if messages.is_empty() {
                break;
            }
            is_empty = false;
            for message in messages {
                self.take(message, line).await;
            }
            if line.is_closed() || too_long.as_mut().now_or_never().is_some() {
                has_seen_all = false;
                break;
            }
        }
        self.known = self.in_hand.len() as u64;
        let waiting = self.standing.waiting;
        if is_empty && waiting > 0 {
            // It waits behind something of its group that somebody has, perhaps we.
            self.known = waiting;
            if !self.kept.is_empty() {
                self.farewell.unseen += waiting.saturating_sub(before);
            }
        }
        Ok(has_seen_all)
    }

    async fn take(&mut self, message: Received, line: &Line<'r>) {
        let id = message.message_id.clone();
        let handle = message.receipt_handle.clone();
        let most = self.standing.most_receives;
        if most.is_some_and(|most| message.receives >= most) {
            self.spent.insert(id.clone());
        }
        let receives = self.receives.entry(id.clone()).or_default();
        *receives += 1;
        let (is_new, has_cost_enough) = (*receives == 1, *receives >= self.care.receives);
        if has_cost_enough {
            self.in_hand.remove(&id);
            self.kept.insert(id, handle);
            let keep = self.care.keep;
            (self.kept_too_long).get_or_insert_with(|| Box::pin(sleep(keep)));
        } else {
            self.in_hand.insert(id, handle);
        }
        if is_new {
            let found = (self.queue, self.standing, message);
            // Where nobody listens any more, the look ends soon.
            let _ = self.renewing(line.send(Ok(found))).await;
        }
    }

    async fn give_back(&mut self, handles: Vec<String>) {
        if let Err(reason) = self.queue.release(handles).await {
            self.farewell.not_given_back = Some(reason);
        }
    }

    async fn pause(&mut self, time: Duration, line: &Line<'r>) {
        let pause = async {
            tokio::select! {
                () = sleep(time) => {}
                () = line.closed() => {}
            }
        };
        self.renewing(pause).await;
    }

    /// Waits for something without losing what we have to others, and to our next look.
    async fn renewing<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = self.renewal.tick() => {
                    let handles = self.in_hand.values().chain(self.kept.values()).cloned();
                    // What cannot be renewed comes back: that costs a receive, and loses nothing.
                    let _ = self.queue.hide(handles.collect(), HIDDEN_SECONDS).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
