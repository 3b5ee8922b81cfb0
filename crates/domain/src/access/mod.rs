//! Who is let in, and as what (访问管理).
pub mod role_grant;
pub mod service_key;
