//! The start of each PHP request, observed in the process that serves it.
//!
//! PHP reads its ini files once, in the first process of a server. So the object must name our prepend
//! file before anything is known about a request. But a request fails if PHP may not open its prepend
//! file, and the restrictions come later: `open_basedir` of a pool, a virtual host, `.user.ini`,
//! `.htaccess` or a FastCGI parameter, and chroot(2). Therefore the object replaces the server
//! interface's `activate` (`sapi_module_struct` in PHP's main/SAPI.h). PHP calls it in each request, when
//! all settings of the request are known and no script runs yet. If our prepend file cannot be opened,
//! this request gets the user's own prepend file, set by PHP's own function for one request, and none of
//! the agent's settings.
//!
//! From this moment on PHP has also read its variables.
//!
//! PHP exports for its extensions what is called here. The signatures and the layout of a string are the
//! same from 7.0 to 8.5 (Zend/zend_ini.h, Zend/zend_types.h, main/php_ini.h, main/fopen_wrappers.h). If
//! one of them is missing, nothing is injected.

use crate::answer::answers;
use crate::answer::state::STATE;
use crate::attempt::permanent;
use crate::hook::elf::Image;
use crate::sys::{kernel, memory_map};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};
use core::{mem, ptr};
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::runtimes::boot::StoodDown;

/// The beginning of PHP's `sapi_module_struct`.
#[repr(C)]
struct Interface {
    /// Null before PHP has started with it.
    name: *const c_char,
    _pretty_name: *const c_char,
    _startup_and_shutdown: [*const c_void; 2],
    activate: Option<Activate>,
}

type Activate = unsafe extern "C" fn() -> c_int;
type IsForbidden = unsafe extern "C" fn(*const c_char, c_int) -> c_int;
type ValueOf = unsafe extern "C" fn(*const c_char, usize, c_int) -> *const c_char;
type Alter = unsafe extern "C" fn(*mut Name, *const c_char, usize, c_int, c_int) -> c_int;
type Configured = unsafe extern "C" fn(*const c_char, *mut *const c_char) -> c_int;

/// The entry of php.ini that names the prepend file.
const ENTRY: &CStr = c"auto_prepend_file";

/// Where php/ini/agent.ini keeps the user's own.
const USERS: &CStr = c"opentelemetry_injector.auto_prepend_file";

/// `PHP_INI_PERDIR`: set from outside of scripts.
const PER_DIRECTORY: c_int = 1 << 1;

/// `PHP_INI_STAGE_ACTIVATE`: until this request ends.
const FOR_THIS_REQUEST: c_int = 1 << 2;

/// A `zend_string` that holds [`ENTRY`].
#[repr(C)]
struct Name {
    references: u32,
    kind: u32,
    /// PHP writes it when it is first asked for.
    hash: u64,
    length: usize,
    text: [u8; ENTRY.count_bytes() + 1],
}

/// `IS_STRING`.
const STRING: u32 = 6;

/// What is known of the PHP in this process.
struct Php {
    activate: Option<Activate>,
    is_forbidden: IsForbidden,
    value_of: ValueOf,
    alter: Alter,
    configured: Configured,
    /// Our prepend file.
    prepend: *const c_char,
    name: *mut Name,
}

static PHP: AtomicPtr<Php> = AtomicPtr::new(ptr::null_mut());

/// Takes part in the requests of the PHP whose code is at `caller`; whether it does. `prepend` is our
/// prepend file. Apache loads PHP anew when it reloads, so this may happen several times.
///
/// Only where PHP is starting: no request runs yet, and no other thread.
pub fn watch(caller: usize, prepend: &[u8]) -> bool {
    watch_object(caller, prepend).is_some()
}

fn watch_object(caller: usize, prepend: &[u8]) -> Option<()> {
    let mapped = memory_map::at(caller).filter(|mapped| mapped.offset == 0)?;
    // SAFETY: `mapped.start` is where the caller's file is mapped from its beginning on, so the ELF header is there.
    // The file stays mapped during this call, because its code has called us.
    let object = unsafe { Image::of_mapped(mapped.start) }?;
    let function = |name: &CStr| object.function(name).map(|function| function.address);
    let interface = object.writable_variable::<Interface>(c"sapi_module")?;
    // SAFETY: PHP's own variable. A program that has a copy of it (copy relocation) leaves this one
    // empty.
    let (name, activate) = unsafe { ((*interface).name, (*interface).activate) };
    if name.is_null() {
        return None;
    }
    let is_ours = activate.is_some_and(|activate| activate as usize == begin as *const () as usize);
    // SAFETY: null, or what an earlier call has published for ever.
    let before = unsafe { PHP.load(Ordering::Acquire).as_ref() };
    let activate = match (is_ours, before) {
        (true, Some(php)) => php.activate,
        _ => activate,
    };
    // SAFETY: these functions have had these signatures since PHP 7.0.
    let php = unsafe {
        Php {
            activate,
            is_forbidden: mem::transmute::<usize, IsForbidden>(function(
                c"php_check_open_basedir_ex",
            )?),
            value_of: mem::transmute::<usize, ValueOf>(function(c"zend_ini_string")?),
            alter: mem::transmute::<usize, Alter>(function(c"zend_alter_ini_entry_chars")?),
            configured: mem::transmute::<usize, Configured>(function(c"cfg_get_string")?),
            prepend: permanent::c_string(prepend)?,
            name: name_of_entry()?,
        }
    };
    let block = permanent::allocate(size_of::<Php>())?.cast::<Php>();
    // SAFETY: the block is long enough, aligned, and known to nobody else yet.
    unsafe { block.write(php) };
    PHP.store(block, Ordering::Release);
    // SAFETY: `sapi_module` is a writable variable: PHP itself has just assigned to it (its name is set). PHP is
    // still starting (see `watch`), so no other thread reads it meanwhile. It is one aligned word.
    unsafe { (*interface).activate = Some(begin) };
    Some(())
}

fn name_of_entry() -> Option<*mut Name> {
    let mut text = [0; ENTRY.count_bytes() + 1];
    text.copy_from_slice(ENTRY.to_bytes_with_nul());
    let block = permanent::allocate(size_of::<Name>())?.cast::<Name>();
    let name = Name {
        // Nobody gives up the last one.
        references: 2,
        kind: STRING,
        hash: 0,
        length: ENTRY.count_bytes(),
        text,
    };
    // SAFETY: the block is long enough, aligned, and known to nobody else yet.
    unsafe { block.write(name) };
    Some(block)
}

/// The beginning of a request, called by PHP in the place of the interface's own function.
unsafe extern "C" fn begin() -> c_int {
    // SAFETY: published for ever before PHP got to know this function.
    let Some(php) = (unsafe { PHP.load(Ordering::Acquire).as_ref() }) else {
        return 0;
    };
    let result = match php.activate {
        // SAFETY: as PHP would have called it.
        Some(activate) => unsafe { activate() },
        None => 0,
    };
    // SAFETY: PHP calls this function as its `activate`, at the beginning of a request in this thread.
    let runs = unsafe { php.prepend_runs() };
    STATE.begin_request((!runs).then_some(StoodDown::Closed));
    if !runs {
        answers::stood_down(Runtime::Php, StoodDown::Closed);
    }
    result
}

impl Php {
    /// Whether our prepend file is going to run in this request; where it cannot, the user's own takes
    /// its place.
    ///
    /// # Safety
    /// PHP has begun a request in this thread.
    unsafe fn prepend_runs(&self) -> bool {
        let (entry, length) = (ENTRY.as_ptr(), ENTRY.count_bytes());
        // SAFETY: the caller's promise; PHP answers with a C string of its own or null.
        let current = unsafe { (self.value_of)(entry, length, 0) };
        // SAFETY: a C string, and one that is ours.
        let ours = unsafe { CStr::from_ptr(self.prepend) };
        // SAFETY: a C string where it is not null.
        if current.is_null() || unsafe { CStr::from_ptr(current) } != ours {
            return false;
        }
        // SAFETY: the caller's promise; 0 says: without a warning.
        let is_forbidden = unsafe { (self.is_forbidden)(self.prepend, 0) } != 0;
        if !is_forbidden && kernel::may_read(ours) {
            return true;
        }
        // SAFETY: the caller's promise.
        unsafe { self.give_users_file() };
        false
    }

    /// # Safety
    /// PHP has begun a request in this thread.
    unsafe fn give_users_file(&self) {
        let mut users = ptr::null();
        // SAFETY: PHP writes a pointer to a C string of its own where it knows the entry.
        unsafe { (self.configured)(USERS.as_ptr(), &raw mut users) };
        // Read twice by two names, our ini file keeps ours for the user's.
        let is_none = users.is_null()
            // SAFETY: a C string where it is not null, and one that is ours.
            || unsafe { CStr::from_ptr(users) == CStr::from_ptr(self.prepend) };
        let users = if is_none { c"".as_ptr() } else { users };
        // SAFETY: C strings both; PHP copies the value and looks the name up.
        unsafe {
            let length = CStr::from_ptr(users).count_bytes();
            (self.alter)(self.name, users, length, PER_DIRECTORY, FOR_THIS_REQUEST);
        }
    }
}
