// SPDX-License-Identifier: GPL-3.0-or-later
//! Has the linker take the unwinder from libgcc_eh.a, so that no login program loads libgcc_s.so.1 for it:
//! that is twice the work of loading everything else of the module. A panic ends inside the module, where it
//! is caught, so nobody else's frames are ever unwound by this copy. See `src/frames.rs`.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(own_unwinder)");
    let target = |what| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    let known = matches!(target("ARCH").as_str(), "x86_64" | "aarch64");
    if !known || target("OS") != "linux" || target("ENV") != "gnu" {
        return Ok(());
    }
    // The standard library asks for `-lgcc_s`, which nothing takes back; what answers is this.
    let directory = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&directory).join("libgcc_s.so"), "GROUP ( -lgcc_eh -lgcc )\n")?;
    println!("cargo::rustc-link-search=native={directory}");
    println!("cargo::rustc-cfg=own_unwinder");
    Ok(())
}
