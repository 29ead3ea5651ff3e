// SPDX-License-Identifier: GPL-3.0-or-later
//! Machines in good and in bad order. Each fault is planted alone in a machine that is well; the doctor
//! names it, its mend is applied, and the doctor has nothing to say of it any more.

mod documented;
mod good;
mod planted;
mod reached;
mod tree;
