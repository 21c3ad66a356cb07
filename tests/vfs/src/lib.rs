//! A file system for SQLite whose writes fail when they are told to: <https://sqlite.org/vfs.html>.
//!
//! It is the default one, of which the functions that change a file are replaced.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, mem, ptr};

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_DELETE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
    SQLITE_OK, SQLITE_OPEN_CREATE, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};

/// How operations that change a file fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk does not answer from some operation on. A write that fails has written half of what it should have.
    DiskGone,
    /// One operation fails, and those after it do not.
    Glitch,
    /// There is no room from some write on. Everything but a write still works.
    DiskFull,
    /// There is no room for one write, and there is for those after it.
    DiskFullOnce,
}

/// What is to fail, and what happened.
#[derive(Debug)]
struct State {
    /// How many operations there were since this was armed.
    operations: AtomicU64,
    /// The first that is to fail, from 1; none if it is 0.
    first: AtomicU64,
    fault: AtomicU64,
    failed: AtomicU64,
}

impl State {
    /// Whether the operation that is about to be done fails.
    fn fails(&self, is_write: bool) -> Option<Fault> {
        let operation = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        let first = self.first.load(Ordering::SeqCst);
        let fault = match self.fault.load(Ordering::SeqCst) {
            0 => Fault::DiskGone,
            1 => Fault::Glitch,
            2 => Fault::DiskFull,
            _ => Fault::DiskFullOnce,
        };
        let is_due = match fault {
            Fault::DiskGone => operation >= first,
            Fault::Glitch => operation == first,
            Fault::DiskFull => is_write && operation >= first,
            Fault::DiskFullOnce => is_write && operation >= first && self.failed.load(Ordering::SeqCst) == 0,
        };
        if first == 0 || !is_due {
            return None;
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        Some(fault)
    }
}

/// What SQLite is given; it comes back as the first argument of every function.
#[repr(C)]
struct Shim {
    vfs: sqlite3_vfs,
    real: *mut sqlite3_vfs,
    state: State,
}

/// What stands behind the real file system's own data of a file.
#[repr(C)]
struct Tail {
    /// The real functions, but for those that are replaced.
    methods: sqlite3_io_methods,
    real: *const sqlite3_io_methods,
    shim: *const Shim,
}

/// A file system that is registered with SQLite, for as long as the process lives.
#[derive(Clone, Copy)]
pub struct FaultyVfs {
    shim: &'static Shim,
}

impl fmt::Debug for FaultyVfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyVfs").field("state", &self.shim.state).finish_non_exhaustive()
    }
}

// SAFETY: what is not atomic is written before SQLite or anyone else sees it, and never again.
unsafe impl Send for FaultyVfs {}
// SAFETY: as above.
unsafe impl Sync for FaultyVfs {}

impl FaultyVfs {
    /// Registers one under this name, to be given to `Connection::open_with_flags_and_vfs`.
    ///
    /// # Panics
    ///
    /// If the name has a NUL character, or SQLite has no file system at all.
    #[must_use]
    pub fn register(name: &str) -> Self {
        let name = CString::new(name).expect("a name without NUL").into_raw();
        // SAFETY: a null name asks for the default. What is made of it stays for good, as SQLite demands.
        let shim = unsafe {
            let real = sqlite3_vfs_find(ptr::null());
            let mut vfs = *real.as_ref().expect("a default file system");
            vfs.zName = name;
            vfs.pNext = ptr::null_mut();
            vfs.szOsFile = tail_offset(real) + c_int::try_from(mem::size_of::<Tail>()).expect("a small number");
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            let state = State {
                operations: AtomicU64::new(0),
                first: AtomicU64::new(0),
                fault: AtomicU64::new(0),
                failed: AtomicU64::new(0),
            };
            let shim = Box::into_raw(Box::new(Shim { vfs, real, state }));
            assert_eq!(sqlite3_vfs_register(shim.cast(), 0), SQLITE_OK);
            &*shim
        };
        Self { shim }
    }

    /// Counts from here, and has operation number `first`, from 1, fail.
    pub fn arm(&self, first: u64, fault: Fault) {
        let state = &self.shim.state;
        state.operations.store(0, Ordering::SeqCst);
        state.failed.store(0, Ordering::SeqCst);
        state.fault.store(fault as u64, Ordering::SeqCst);
        state.first.store(first, Ordering::SeqCst);
    }

    /// Has nothing fail any more.
    pub fn heal(&self) {
        self.shim.state.first.store(0, Ordering::SeqCst);
    }

    /// How many operations failed since this was armed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.shim.state.failed.load(Ordering::SeqCst)
    }
}

/// Where the tail of a file begins.
unsafe fn tail_offset(real: *mut sqlite3_vfs) -> c_int {
    let align = c_int::try_from(mem::align_of::<Tail>()).expect("a small number");
    // SAFETY: it is the file system that SQLite has registered.
    let size = unsafe { (*real).szOsFile };
    (size + align - 1) / align * align
}

unsafe fn tail_of(file: *mut sqlite3_file, shim: *const Shim) -> *mut Tail {
    // SAFETY: SQLite allocates `szOsFile` bytes for a file, of which the tail is the last part.
    unsafe {
        let offset = usize::try_from(tail_offset((*shim).real)).expect("a small number");
        file.cast::<u8>().add(offset).cast()
    }
}

/// The tail of a file that is open: SQLite's pointer to its functions points at it.
unsafe fn tail<'a>(file: *mut sqlite3_file) -> &'a Tail {
    // SAFETY: `open` has set this pointer to the first field of a `Tail`.
    unsafe { &*(*file).pMethods.cast() }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let shim: *const Shim = vfs.cast();
    // SAFETY: `vfs` is the first field of a `Shim`, and everything else is passed on as it came.
    unsafe {
        (*file).pMethods = ptr::null();
        // The index of a WAL is no file of this kind; a file that is there already needs no room.
        let is_new = flags & SQLITE_OPEN_CREATE != 0 && !name.is_null() && !exists(name);
        if is_new && (*shim).state.fails(false).is_some() {
            return SQLITE_CANTOPEN;
        }
        let real = (*shim).real;
        let Some(real_open) = (*real).xOpen else { return SQLITE_CANTOPEN };
        let result = real_open(real, name, file, flags, out_flags);
        let Some(methods) = (*file).pMethods.as_ref() else { return result };
        let mut replaced = *methods;
        replaced.xWrite = Some(write);
        replaced.xTruncate = Some(truncate);
        replaced.xSync = Some(sync);
        let tail = tail_of(file, shim);
        tail.write(Tail { methods: replaced, real: methods, shim });
        (*file).pMethods = &raw const (*tail).methods;
        result
    }
}

unsafe fn exists(name: *const c_char) -> bool {
    // SAFETY: SQLite's file names end with a NUL character.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().is_ok_and(|name| std::path::Path::new(name).exists())
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    let shim: *const Shim = vfs.cast();
    // SAFETY: `vfs` is the first field of a `Shim`, and everything else is passed on as it came.
    unsafe {
        if (*shim).state.fails(false).is_some() {
            return SQLITE_IOERR_DELETE;
        }
        let real = (*shim).real;
        (*real).xDelete.map_or(SQLITE_IOERR_DELETE, |delete| delete(real, name, sync_directory))
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls this for files that `open` has opened, with what the real function takes.
    unsafe {
        let tail = tail(file);
        let Some(real) = (*tail.real).xWrite else { return SQLITE_IOERR_WRITE };
        let code = match (*tail.shim).state.fails(true) {
            None => return real(file, data, length, offset),
            Some(Fault::DiskGone | Fault::Glitch) => SQLITE_IOERR_WRITE,
            Some(Fault::DiskFull | Fault::DiskFullOnce) => SQLITE_FULL,
        };
        let _ = real(file, data, length / 2, offset);
        code
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls this for files that `open` has opened, with what the real function takes.
    unsafe {
        let tail = tail(file);
        match ((*tail.shim).state.fails(false), (*tail.real).xTruncate) {
            (None, Some(real)) => real(file, size),
            _ => SQLITE_IOERR_TRUNCATE,
        }
    }
}

/// Says that it has synchronised, and does not: this is not about a loss of power.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite calls this for files that `open` has opened.
    let is_failing = unsafe { (*tail(file).shim).state.fails(false).is_some() };
    if is_failing { SQLITE_IOERR_FSYNC } else { SQLITE_OK }
}
