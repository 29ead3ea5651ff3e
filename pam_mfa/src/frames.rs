// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the unwinder finds the frames of a piece of code. libgcc_eh.a of GCC 12 and later asks glibc's
//! `_dl_find_object(3)`, which came with 2.35; the module would not load beside an older one. This one is the
//! module's own: it asks dl_iterate_phdr(3), which they all have, as that unwinder does for older glibcs.

use std::arch::global_asm;
use std::ffi::{c_int, c_void};
use std::ptr;

/// `struct dl_find_object` of `<dlfcn.h>` where neither `DLFO_STRUCT_HAS_EH_DBASE` nor
/// `DLFO_STRUCT_HAS_EH_COUNT` is set.
#[repr(C)]
struct Found {
    flags: u64,
    map_start: *mut c_void,
    map_end: *mut c_void,
    link_map: *mut c_void,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

struct Search {
    address: usize,
    found: Option<Found>,
}

// For this module alone: a function that Rust exports would be seen by others.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _dl_find_object",
    ".hidden _dl_find_object",
    ".type _dl_find_object, @function",
    "_dl_find_object: jmp {find}",
    find = sym find_object
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _dl_find_object",
    ".hidden _dl_find_object",
    ".type _dl_find_object, %function",
    "_dl_find_object: b {find}",
    find = sym find_object
);

/// Tells where the object that holds `address` is mapped and where its `.eh_frame_hdr` is; −1 where no object
/// does, or it has none.
///
/// # Safety
/// `result` has room for a `struct dl_find_object`.
unsafe extern "C" fn find_object(address: *mut c_void, result: *mut Found) -> c_int {
    let mut search = Search { address: address.addr(), found: None };
    // SAFETY: `look` takes a `Search`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(look), ptr::from_mut(&mut search).cast()) };
    let Some(found) = search.found else { return -1 };
    // SAFETY: the caller has room there.
    unsafe { result.write(found) };
    0
}

/// Stops at the object that holds the address.
///
/// # Safety
/// As dl_iterate_phdr(3) calls it, with a `Search`.
unsafe extern "C" fn look(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    search: *mut c_void,
) -> c_int {
    // SAFETY: dl_iterate_phdr(3) says so, and nobody else has either meanwhile.
    let Some(info) = (unsafe { info.as_ref() }) else { return 0 };
    // SAFETY: it is what `find_object` has passed.
    let Some(search) = (unsafe { search.cast::<Search>().as_mut() }) else { return 0 };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader's own table, of that length, for as long as the object is loaded.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let place = |header: &libc::Elf64_Phdr| {
        let start = info.dlpi_addr.wrapping_add(header.p_vaddr);
        (start, start.wrapping_add(header.p_memsz))
    };
    let address = search.address as u64;
    let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD).map(place);
    let Some((start, end)) =
        loaded.into_iter().find(|(start, end)| (*start..*end).contains(&address))
    else {
        return 0;
    };
    let frames = headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME).map(place);
    search.found = frames.map(|(frames, _)| Found {
        flags: 0,
        map_start: pointer(start),
        map_end: pointer(end),
        link_map: ptr::null_mut(),
        eh_frame: pointer(frames),
        reserved: [0; 7],
    });
    1
}

/// Of an address that the loader tells.
fn pointer(address: u64) -> *mut c_void {
    usize::try_from(address).map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
}
