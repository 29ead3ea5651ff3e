// SPDX-License-Identifier: GPL-3.0-or-later
//! What a peer sends, cut into frames. Whatever has arrived is taken in one read: a question of a login
//! costs one system call, and not one for its length and one for its content.

use std::io::{self, ErrorKind};

use mfa_proto::frame::{self, FrameError, HEADER_LEN};
use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::{Zeroize, Zeroizing};

/// Bytes taken in one read, at most: the frames of a login are shorter.
const ROOM: usize = 1024;

/// A frame that is longer has so many times the room of what has come of it: whoever announces a long one and
/// does not send it costs no memory.
const GROWTH: usize = 4;

/// The receiving half of a connection. What was taken out of it is erased.
pub(crate) struct Incoming {
    /// Of these, the first `held` have arrived.
    buffer: Zeroizing<[u8; ROOM]>,
    held: usize,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { buffer: Zeroizing::new([0; ROOM]), held: 0 }
    }
}

impl Incoming {
    /// Waits for the beginning of a frame, and says whether there is one: the stream may have ended. Nothing is
    /// lost where nobody waits to the end.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) async fn begins(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<bool> {
        if self.held == 0 {
            self.held = stream.read(self.buffer.as_mut_slice()).await?;
        }
        Ok(self.held > 0)
    }

    /// The content of the frame that has begun, or why there can be none. Whoever does not wait to the end has lost
    /// what came so far.
    ///
    /// # Errors
    /// Those of reading; a stream that ends within the frame is one.
    pub(crate) async fn payload(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Result<Zeroizing<Vec<u8>>, FrameError>> {
        let header = loop {
            let held = self.buffer.get(..self.held).unwrap_or_default();
            if let Some(header) = held.first_chunk::<HEADER_LEN>() {
                break *header;
            }
            let room = self.buffer.get_mut(self.held..).unwrap_or_default();
            match stream.read(room).await? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                more => self.held = self.held.saturating_add(more),
            }
        };
        self.forget(HEADER_LEN);
        let length = match frame::payload_len(header) {
            Ok(length) => length,
            Err(error) => return Ok(Err(error)),
        };
        let mut payload = Zeroizing::new(vec![0; length.min(ROOM)]);
        let there = self.held.min(payload.len());
        let (here, missing) = payload.split_at_mut(there);
        here.copy_from_slice(self.buffer.get(..there).unwrap_or_default());
        self.forget(there);
        stream.read_exact(missing).await?;
        // Room for what has come and some more, not for what was announced. A vector that grows by itself would
        // leave what it held in freed memory.
        while payload.len() < length {
            let room = length.min(payload.len().saturating_mul(GROWTH));
            let mut longer = Zeroizing::new(vec![0; room]);
            let (here, missing) = longer.split_at_mut(payload.len());
            here.copy_from_slice(&payload);
            stream.read_exact(missing).await?;
            payload = longer;
        }
        Ok(Ok(payload))
    }

    /// What comes after the first `taken` bytes moves to the front.
    fn forget(&mut self, taken: usize) {
        let left = self.held.saturating_sub(taken);
        self.buffer.copy_within(taken..self.held, 0);
        self.buffer.get_mut(left..self.held).unwrap_or_default().zeroize();
        self.held = left;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncWriteExt, ReadBuf};

    use super::*;

    /// Gives one piece a read, then the end.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let Some(mut piece) = self.0.pop_front() else { return Poll::Ready(Ok(())) };
            let rest = piece.split_off(piece.len().min(into.remaining()));
            into.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            Poll::Ready(Ok(()))
        }
    }

    fn frame(content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length, content].concat()
    }

    /// All frames until the end; the last is an error where the stream ends within it.
    async fn all(pieces: Vec<Vec<u8>>) -> Vec<Result<Vec<u8>, String>> {
        let (mut stream, mut incoming) = (Pieces(pieces.into()), Incoming::default());
        let mut found = Vec::new();
        while incoming.begins(&mut stream).await.unwrap() {
            match incoming.payload(&mut stream).await {
                Ok(Ok(payload)) => found.push(Ok(payload.to_vec())),
                Ok(Err(error)) => found.push(Err(error.to_string())),
                Err(error) => {
                    found.push(Err(error.kind().to_string()));
                    break;
                }
            }
            let beyond = incoming.buffer.get(incoming.held..).unwrap();
            assert!(beyond.iter().all(|byte| *byte == 0), "what was taken out is still there");
        }
        found
    }

    #[tokio::test]
    async fn frames_are_the_same_however_they_arrive() {
        let contents: Vec<Vec<u8>> = [1, 5, ROOM - HEADER_LEN, ROOM, 3 * ROOM, 7, frame::FRAME_MAX]
            .into_iter()
            .zip(1..)
            .map(|(length, fill)| vec![fill; length])
            .collect();
        let bytes: Vec<u8> = contents.iter().flat_map(|content| frame(content)).collect();
        let expected: Vec<_> = contents.into_iter().map(Ok).collect();
        for size in [1, 2, 3, 4, 5, 9, ROOM - 1, ROOM, ROOM + 1, 10_000, bytes.len()] {
            let pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(all(pieces).await, expected, "{size} bytes at a time");
        }
    }

    #[tokio::test]
    async fn who_stops_waiting_for_a_frame_has_lost_nothing() {
        let (mut peer, mut stream) = tokio::io::duplex(64);
        let mut incoming = Incoming::default();
        for content in [b"one".as_slice(), b"another"] {
            tokio::select! {
                biased;
                begun = incoming.begins(&mut stream) => panic!("{begun:?} before anything came"),
                () = std::future::ready(()) => {}
            }
            let whole = frame(content);
            let (first, rest) = whole.split_at(2);
            peer.write_all(first).await.unwrap();
            assert!(incoming.begins(&mut stream).await.unwrap());
            peer.write_all(rest).await.unwrap();
            assert!(incoming.begins(&mut stream).await.unwrap());
            let payload = incoming.payload(&mut stream).await.unwrap().unwrap();
            assert_eq!(payload.as_slice(), content);
        }
    }

    #[tokio::test]
    async fn an_end_within_a_frame_is_none_between_two() {
        let bytes = frame(b"question");
        for length in 1..bytes.len() {
            let pieces = vec![bytes.get(..length).unwrap().to_vec()];
            assert_eq!(all(pieces).await, [Err(ErrorKind::UnexpectedEof.to_string())], "{length}");
        }
        assert_eq!(all(vec![bytes]).await, [Ok(b"question".to_vec())]);
        assert!(all(Vec::new()).await.is_empty());
    }

    /// A frame as long as one may be, a byte a read; asserts how much room there is for what comes next.
    struct Dripping {
        header: Vec<u8>,
        given: usize,
    }

    impl AsyncRead for Dripping {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let room = into.remaining();
            assert!(room <= ROOM.max(GROWTH * self.given), "{room} after {}", self.given);
            into.put_slice(&[self.header.get(self.given).copied().unwrap_or(7)]);
            self.given += 1;
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn memory_is_taken_for_what_came_and_not_for_what_was_announced() {
        let length = u32::try_from(frame::FRAME_MAX).unwrap().to_be_bytes();
        let mut stream = Dripping { header: length.to_vec(), given: 0 };
        let mut incoming = Incoming::default();
        assert!(incoming.begins(&mut stream).await.unwrap());
        let payload = incoming.payload(&mut stream).await.unwrap().unwrap();
        assert_eq!(
            (payload.len(), payload.iter().all(|byte| *byte == 7)),
            (frame::FRAME_MAX, true)
        );
        assert_eq!(stream.given, HEADER_LEN + frame::FRAME_MAX);
    }

    #[tokio::test]
    async fn a_length_that_no_frame_has_is_refused_before_anything_is_taken_for_it() {
        let long = u32::try_from(frame::FRAME_MAX + 1).unwrap().to_be_bytes();
        for (header, error) in [
            ([0; HEADER_LEN], FrameError::Empty),
            (long, FrameError::TooLong(frame::FRAME_MAX + 1)),
        ] {
            assert_eq!(all(vec![header.to_vec()]).await, [Err(error.to_string())]);
        }
    }
}
