vim.api.nvim_create_user_command("GradlintFixAll", function()
  local context = { only = { "source.fixAll.gradlint" } }
  if vim.fn.has("nvim-0.8") == 1 then
    vim.lsp.buf.code_action({ context = context, apply = true })
  else
    vim.lsp.buf.code_action(context)
  end
end, {})
