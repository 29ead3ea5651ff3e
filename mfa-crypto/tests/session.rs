// SPDX-License-Identifier: GPL-3.0-or-later
//! Sessions: what opens, what does not, and what is over after it did not.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

use getrandom::SysRng;
use mfa_crypto::{Binding, ClientExchange, Group, ServerExchange, Session, SessionError};

fn pair_with_id(id: &[u8]) -> (Session, Session) {
    let binding = Binding { purpose: "enroll", user: "alice", uid: 1000 };
    let group = Group::named("ffdhe2048").unwrap();
    let (client, hello) = ClientExchange::start(&group, &mut SysRng).unwrap();
    let (server, reply) =
        ServerExchange::respond(&group, &binding, &hello.public, &hello.nonce, id, &mut SysRng)
            .unwrap();
    let (client, confirm) =
        client.finish(&binding, &reply.public, &reply.nonce, &reply.confirm, id).unwrap();
    (client, server.finish(&confirm).unwrap())
}

fn pair() -> (Session, Session) {
    pair_with_id(b"one")
}

fn assert_dead(session: &mut Session) {
    assert!(!session.is_alive());
    assert_eq!(session.messages(), 0);
    assert_eq!(session.seal(b"x").err(), Some(SessionError::Dead));
    assert_eq!(session.open(0, &[0; 17]).err(), Some(SessionError::Dead));
    assert_eq!(session.replace(pair().0).err(), Some(SessionError::Dead));
}

#[test]
fn messages_pass_in_both_directions_and_are_counted() {
    let (mut client, mut server) = pair();
    for round in 0..5_u64 {
        let ask = client.seal(b"ask").unwrap();
        assert_eq!(ask.seq, round);
        assert_eq!(ask.ciphertext.len(), 3 + 16);
        assert_eq!(server.open(ask.seq, &ask.ciphertext).unwrap().as_slice(), b"ask");
        let answer = server.seal(b"").unwrap();
        assert_eq!(answer.seq, round);
        assert!(client.open(answer.seq, &answer.ciphertext).unwrap().is_empty());
        assert_eq!((client.messages(), server.messages()), (2 * round + 2, 2 * round + 2));
    }
    assert_eq!((client.epoch(), server.epoch()), (0, 0));
}

#[test]
fn messages_may_cross() {
    let (mut client, mut server) = pair();
    let (a, b) = (client.seal(b"a").unwrap(), server.seal(b"b").unwrap());
    assert_eq!(client.open(b.seq, &b.ciphertext).unwrap().as_slice(), b"b");
    assert_eq!(server.open(a.seq, &a.ciphertext).unwrap().as_slice(), b"a");
}

#[test]
fn a_repeated_message_ends_the_session() {
    let (mut client, mut server) = pair();
    let message = client.seal(b"once").unwrap();
    assert!(server.open(message.seq, &message.ciphertext).is_ok());
    assert_eq!(
        server.open(message.seq, &message.ciphertext).err(),
        Some(SessionError::Sequence { expected: 1, got: 0 })
    );
    assert_dead(&mut server);
}

#[test]
fn a_missing_message_ends_the_session() {
    let (mut client, mut server) = pair();
    let (_lost, second) = (client.seal(b"first").unwrap(), client.seal(b"second").unwrap());
    assert_eq!(
        server.open(second.seq, &second.ciphertext).err(),
        Some(SessionError::Sequence { expected: 0, got: 1 })
    );
    assert_dead(&mut server);
}

#[test]
fn the_key_of_one_message_opens_no_other() {
    // Renumbered, so that only the key differs: what the ratchet is for.
    let (mut client, mut server) = pair();
    let (first, second) = (client.seal(b"first").unwrap(), client.seal(b"second").unwrap());
    assert_eq!(server.open(0, &second.ciphertext).err(), Some(SessionError::Forged));
    assert_dead(&mut server);

    let (mut client, mut server) = pair();
    let message = client.seal(b"first").unwrap();
    assert!(server.open(0, &message.ciphertext).is_ok());
    assert_eq!(server.open(1, &message.ciphertext).err(), Some(SessionError::Forged));
    assert_ne!(first.ciphertext, message.ciphertext);
}

#[test]
fn a_flipped_bit_anywhere_ends_the_session() {
    let (mut client, mut server) = pair();
    let length = client.seal(b"code").unwrap().ciphertext.len();
    assert!(server.seal(b"control").is_ok_and(|m| client.open(m.seq, &m.ciphertext).is_ok()));
    for bit in [0, 7, 31, 32, 8 * length - 1] {
        let (mut client, mut server) = pair();
        let mut message = client.seal(b"code").unwrap();
        message.ciphertext[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(server.open(0, &message.ciphertext).err(), Some(SessionError::Forged));
        assert_dead(&mut server);
    }
}

#[test]
fn shortened_and_lengthened_messages_end_the_session() {
    let changes: [fn(Vec<u8>) -> Vec<u8>; 5] = [
        |_| Vec::new(),
        |c| c[..15].to_vec(),
        |c| c[..16].to_vec(),
        |c| c[..c.len() - 1].to_vec(),
        |c| [c, vec![0]].concat(),
    ];
    for change in changes {
        let (mut client, mut server) = pair();
        let control = server.seal(b"control").unwrap();
        assert!(client.open(control.seq, &control.ciphertext).is_ok());
        let message = client.seal(b"code").unwrap();
        assert_eq!(server.open(0, &change(message.ciphertext)).err(), Some(SessionError::Forged));
        assert_dead(&mut server);
    }
}

#[test]
fn a_message_sent_back_to_its_sender_is_refused() {
    let (mut client, mut server) = pair();
    let message = client.seal(b"mine").unwrap();
    assert!(server.open(0, &message.ciphertext).is_ok());
    assert_eq!(client.open(0, &message.ciphertext).err(), Some(SessionError::Forged));
    assert_dead(&mut client);
}

#[test]
fn a_message_of_another_session_is_refused() {
    let (mut client, _) = pair_with_id(b"one");
    let (mut other_client, mut server) = pair_with_id(b"one");
    let message = client.seal(b"x").unwrap();
    let own = other_client.seal(b"x").unwrap();
    assert!(server.open(0, &own.ciphertext).is_ok());
    let (_, mut server) = pair_with_id(b"one");
    assert_eq!(server.open(0, &message.ciphertext).err(), Some(SessionError::Forged));
}

#[test]
fn rekeying_begins_a_new_epoch_in_which_old_messages_do_not_open() {
    let (mut client, mut server) = pair();
    let kept = client.seal(b"before").unwrap();
    assert!(server.open(kept.seq, &kept.ciphertext).is_ok());
    let (new_client, new_server) = pair();
    client.replace(new_client).unwrap();
    server.replace(new_server).unwrap();
    assert_eq!((client.epoch(), client.messages()), (1, 0));
    let message = client.seal(b"after").unwrap();
    assert_eq!(message.seq, 0);
    assert_eq!(server.open(0, &message.ciphertext).unwrap().as_slice(), b"after");

    let (new_client, new_server) = pair();
    client.replace(new_client).unwrap();
    server.replace(new_server).unwrap();
    assert_eq!(server.epoch(), 2);
    assert_eq!(server.open(0, &kept.ciphertext).err(), Some(SessionError::Forged));
    assert_dead(&mut server);
}

#[test]
fn sides_in_different_epochs_do_not_understand_each_other_even_with_the_same_keys() {
    let (mut client, mut server) = pair();
    // The client replaces its keys, the server takes the new session as it is, in epoch 0.
    let (new_client, mut new_server) = pair();
    client.replace(new_client).unwrap();
    let message = client.seal(b"x").unwrap();
    assert_eq!(new_server.open(0, &message.ciphertext).err(), Some(SessionError::Forged));
    // Control: replaced on both sides, it opens.
    let (new_client, new_server) = pair();
    let (mut client, _) = pair();
    client.replace(new_client).unwrap();
    server.replace(new_server).unwrap();
    let message = client.seal(b"x").unwrap();
    assert!(server.open(0, &message.ciphertext).is_ok());
}

#[test]
fn keys_of_another_side_or_id_are_not_taken_over() {
    let (mut client, mut server) = pair();
    assert!(client.replace(pair().0).is_ok());
    assert_eq!(client.replace(pair().1).err(), Some(SessionError::Mismatch));
    assert_dead(&mut client);
    assert_eq!(server.replace(pair_with_id(b"two").1).err(), Some(SessionError::Mismatch));
    assert_dead(&mut server);
    let (mut client, _) = pair();
    let (mut spent, _) = pair();
    assert!(spent.open(9, b"").is_err());
    assert_eq!(client.replace(spent).err(), Some(SessionError::Dead));
    assert_dead(&mut client);
}
