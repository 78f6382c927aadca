#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "server/http/http_server.h"

namespace acta {

// What the sessions of a server count.
struct HttpCounts {
  std::atomic<int64_t> requests{0};
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> refused{0};
};

// One connection: a request, its answer, and the next one while the client keeps it open.
//
// Threads:   the server's one thread.
// Ownership: keeps itself alive while something is under way; borrows pages and counts.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, const HttpPages& pages, const HttpLimits& limits,
              HttpCounts& counts);
  ~HttpSession();

  void Run() { Read(); }

 private:
  using Request = boost::beast::http::request_parser<boost::beast::http::empty_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  using ErrorCode = boost::beast::error_code;

  void Read();
  void OnHeader(ErrorCode error);
  void Write(int status, const std::string& content_type, std::string body, bool keep_alive,
             bool head);
  void OnWritten(ErrorCode error);
  void Close();
  void Drain();

  boost::beast::tcp_stream stream_;
  const HttpPages& pages_;
  const HttpLimits& limits_;
  HttpCounts& counts_;
  boost::beast::flat_buffer buffer_;
  std::optional<Request> request_;  // A parser takes one request.
  Response response_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>>
      serializer_;
};

}  // namespace acta
