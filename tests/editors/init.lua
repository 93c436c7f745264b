local gradlint = {
  name = "gradlint",
  cmd = { "gradlint", "server" },
  filetypes = { "python" },
  root_markers = { "gradlint.toml", "pyproject.toml", ".git" },
  init_options = { unsafeFixes = false },
}

if vim.lsp.config then -- Neovim 0.11 and newer
  vim.lsp.config("gradlint", gradlint)
  vim.lsp.enable("gradlint")
else
  local client
  vim.api.nvim_create_autocmd("FileType", {
    pattern = gradlint.filetypes,
    callback = function(event)
      gradlint.root_dir = vim.fn.getcwd()
      client = client or vim.lsp.start_client(gradlint)
      vim.lsp.buf_attach_client(event.buf, client)
    end,
  })
end
